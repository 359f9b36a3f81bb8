// What the page does by itself: local times, colours, hints under the pointer, updates. It works without all of this.

const page = document.getElementById("content");

// --- Times ----------------------------------------------------------------------------------

const formats = {
  full: new Intl.DateTimeFormat(undefined, { dateStyle: "medium", timeStyle: "short" }),
  clock: new Intl.DateTimeFormat(undefined, { hour: "2-digit", minute: "2-digit" }),
  date: new Intl.DateTimeFormat(undefined, { weekday: "short", day: "numeric" }),
  exact: new Intl.DateTimeFormat(undefined, { hour: "2-digit", minute: "2-digit", second: "2-digit" }),
};
const relative = new Intl.RelativeTimeFormat(undefined, { numeric: "auto", style: "short" });
const units = [["day", 86_400], ["hour", 3_600], ["minute", 60], ["second", 1]];

function ago(at) {
  const seconds = (at - Date.now()) / 1000;
  const old = Math.abs(seconds);
  if (old < 10) return "just now";
  if (old > 6 * 86_400) return formats.full.format(at);
  const [unit, length] = units.find(([, length]) => old >= length);
  return relative.format(Math.trunc(seconds / length), unit);
}

function setText(element, text) {
  if (element.textContent !== text) element.textContent = text;
}

function showTimes(root) {
  for (const element of root.querySelectorAll("[data-time]")) {
    const at = new Date(element.getAttribute("datetime") ?? element.dataset.at);
    if (Number.isNaN(at.getTime())) continue;
    const style = element.dataset.time;
    setText(element, style === "ago" ? ago(at) : formats[style].format(at));
  }
}

// --- Colours --------------------------------------------------------------------------------

function setUpTheme() {
  const button = document.getElementById("theme");
  const order = ["auto", "light", "dark"];
  const words = { auto: "as the system", light: "light", dark: "dark" };
  const now = () => document.documentElement.dataset.theme ?? "auto";
  const name = () => {
    button.setAttribute("aria-label", `Colours: ${words[now()]}`);
    button.title = `Colours: ${words[now()]}`;
  };
  button.addEventListener("click", () => {
    const next = order[(order.indexOf(now()) + 1) % order.length];
    if (next === "auto") delete document.documentElement.dataset.theme;
    else document.documentElement.dataset.theme = next;
    try {
      localStorage.setItem("playledger.theme", next);
    } catch {
      // It holds for this page then.
    }
    name();
  });
  name();
  button.hidden = false;
}

// --- Hints under the pointer ----------------------------------------------------------------

function setUpTips() {
  const tip = document.getElementById("tip");
  let shown = null;
  const hide = () => {
    shown = null;
    tip.hidden = true;
  };
  document.addEventListener("pointerover", (event) => {
    const target = event.target.closest?.("[data-tip]");
    if (!target) return hide();
    shown = target;
    const at = target.dataset.tipTime;
    tip.textContent = at ? `${formats.clock.format(new Date(at))} · ${target.dataset.tip}` : target.dataset.tip;
    tip.hidden = false;
    const around = target.getBoundingClientRect();
    const own = tip.getBoundingClientRect();
    const middle = around.left + around.width / 2 - own.width / 2;
    const left = Math.max(8, Math.min(middle, document.documentElement.clientWidth - own.width - 8));
    const above = around.top - own.height - 8;
    tip.style.left = `${left}px`;
    tip.style.top = `${above > 4 ? above : around.bottom + 8}px`;
  });
  document.addEventListener("scroll", hide, { passive: true, capture: true });
  document.addEventListener("keydown", (event) => event.key === "Escape" && shown && hide());
}

function setUpCopying(root) {
  if (!navigator.clipboard) return;
  for (const box of root.querySelectorAll("[data-copy]")) {
    if (box.querySelector("button")) continue;
    const button = document.createElement("button");
    button.type = "button";
    button.className = "copy";
    button.textContent = "Copy";
    button.addEventListener("click", async () => {
      await navigator.clipboard.writeText(box.querySelector("code").textContent);
      button.textContent = "Copied";
      setTimeout(() => (button.textContent = "Copy"), 2000);
    });
    box.append(button);
  }
}

// --- Updates --------------------------------------------------------------------------------

function outline(root) {
  return [...root.querySelectorAll("[data-region]")].map((part) => part.dataset.region).join(" ");
}

// Puts in what has changed, and nothing else: focus, open details and scrolling stay as they are.
function put(html) {
  const next = document.createElement("template");
  next.innerHTML = html;
  const opened = new Set([...page.querySelectorAll("details[id]")].filter((part) => part.open).map((part) => part.id));
  const focused = page.contains(document.activeElement) ? document.activeElement.id : "";
  const replace = (old, fresh) => {
    for (const part of fresh.querySelectorAll("details[id]")) part.open = opened.has(part.id);
    const scrolled = [...old.querySelectorAll(".scroll")].map((part) => part.scrollTop);
    old.replaceChildren(...fresh.cloneNode(true).childNodes);
    old.querySelectorAll(".scroll").forEach((part, index) => (part.scrollTop = scrolled[index] ?? 0));
    showTimes(old);
    setUpCopying(old);
  };
  if (outline(page) === outline(next.content)) {
    for (const fresh of next.content.querySelectorAll("[data-region]")) {
      const name = fresh.dataset.region;
      if (regions.get(name) === fresh.innerHTML) continue;
      regions.set(name, fresh.innerHTML);
      replace(page.querySelector(`[data-region="${name}"]`), fresh);
    }
  } else {
    remember(next.content);
    replace(page, next.content);
  }
  if (focused && document.activeElement?.id !== focused) document.getElementById(focused)?.focus({ preventScroll: true });
}

// What the server sent for each region: the page itself differs by local times.
const regions = new Map();

function remember(root) {
  for (const part of root.querySelectorAll("[data-region]")) regions.set(part.dataset.region, part.innerHTML);
}

function setState(state, words) {
  const status = document.getElementById("status");
  if (!status || status.dataset.state === state) return;
  status.dataset.state = state;
  document.getElementById("status-words").textContent = words;
}

let lastHeard = Date.now();
let silence = null;

function heard() {
  lastHeard = Date.now();
  document.getElementById("away").hidden = true;
  setState("live", "Live");
  setText(document.getElementById("as-of"), `As of ${formats.exact.format(lastHeard)}.`);
}

function gone(words) {
  setText(document.getElementById("away-since"), formats.exact.format(lastHeard));
  setState("away", words);
}

function follow() {
  let source = null;
  let polling = null;
  let failures = 0;
  let tag = page.dataset.tag;

  const received = (text) => {
    const cut = text.indexOf("\n");
    heard();
    if (text.slice(0, cut) === tag) return;
    tag = text.slice(0, cut);
    put(text.slice(cut + 1));
  };
  const databaseAway = () => {
    gone("Database away");
    document.getElementById("away").hidden = false;
  };
  const poll = async () => {
    try {
      const answer = await fetch(page.dataset.poll, { headers: { "If-None-Match": tag }, cache: "no-store" });
      if (answer.status === 503) return databaseAway();
      if (answer.status === 200) received(`${answer.headers.get("ETag")}\n${await answer.text()}`);
      else if (answer.status === 304) heard();
      else gone("Reconnecting");
    } catch {
      gone("Reconnecting");
    }
  };
  const open = () => {
    if (source || polling || document.hidden) return;
    if (!("EventSource" in window) || failures >= 4) {
      polling = setInterval(poll, 5000);
      return void poll();
    }
    source = new EventSource(page.dataset.stream);
    source.addEventListener("fragment", (event) => {
      failures = 0;
      received(event.data);
    });
    source.addEventListener("tick", heard);
    source.addEventListener("away", databaseAway);
    source.addEventListener("bye", () => reopen(1000));
    source.addEventListener("error", () => {
      failures += 1;
      gone("Reconnecting");
      reopen(Math.min(1000 * 2 ** failures, 15_000));
    });
  };
  const close = () => {
    source?.close();
    clearInterval(polling);
    source = polling = null;
  };
  const reopen = (delay) => {
    close();
    clearTimeout(silence);
    silence = setTimeout(open, delay);
  };
  // A page that nobody looks at asks for nothing.
  document.addEventListener("visibilitychange", () => (document.hidden ? close() : open()));
  window.addEventListener("pagehide", close);
  window.addEventListener("pageshow", open);
  // A connection may die without a word: no sign of life for long means a new one.
  setInterval(() => {
    if (source && Date.now() - lastHeard > 15_000) reopen(0);
  }, 5000);
  open();
}

function retry() {
  const again = setInterval(async () => {
    try {
      const answer = await fetch(location.href, { cache: "no-store" });
      if (answer.status === 503) return;
      clearInterval(again);
      location.reload();
    } catch {
      // Not there either; the next turn tries again.
    }
  }, 5000);
}

remember(page);
showTimes(document);
setInterval(() => showTimes(page), 10_000);
setUpTheme();
setUpTips();
setUpCopying(document);
if (page.dataset.stream) follow();
if ("retry" in document.body.dataset) retry();
