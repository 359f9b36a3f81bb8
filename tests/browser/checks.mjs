// What the pages promise, one check each.

import assert from "node:assert/strict";
import { randomUUID } from "node:crypto";

const PHONE = { viewport: { width: 360, height: 780 }, deviceScaleFactor: 2, isMobile: true, hasTouch: true };

async function open(page, url) {
  const answer = await page.goto(url, { waitUntil: "load" });
  return answer;
}

async function connected(page) {
  await page.waitForSelector('#status[data-state="live"]', { timeout: 10_000 });
}

async function closedSession({ page, base }) {
  await open(page, `${base}/`);
  const row = page.locator("tbody tr", { has: page.locator(".badge:not(.live)") }).first();
  await row.waitFor({ timeout: 10_000 });
  return row.locator("th a").getAttribute("href");
}

async function noSidewaysScroll(page) {
  const [whole, seen] = await page.evaluate(() => [document.documentElement.scrollWidth, window.innerWidth]);
  assert.ok(whole <= seen, `the page is ${whole} px wide in a window of ${seen} px`);
}

// Contrast of every piece of text against what is painted behind it (WCAG 2.2, 1.4.3).
async function legible(page) {
  const poor = await page.evaluate(() => {
    const parse = (text) => (text.match(/[\d.]+/g) ?? []).map(Number);
    const light = ([r, g, b]) => {
      const part = (value) => (value / 255 <= 0.03928 ? value / 255 / 12.92 : ((value / 255 + 0.055) / 1.055) ** 2.4);
      return 0.2126 * part(r) + 0.7152 * part(g) + 0.0722 * part(b);
    };
    const behind = (element) => {
      for (let at = element; at; at = at.parentElement) {
        const colour = parse(getComputedStyle(at).backgroundColor);
        if (colour.length === 3 || colour[3] === 1) return colour;
      }
      return [255, 255, 255];
    };
    const found = new Set();
    const walker = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
    while (walker.nextNode()) {
      const element = walker.currentNode.parentElement;
      if (!walker.currentNode.textContent.trim() || !element.checkVisibility() || element.closest("svg, .skip")) continue;
      const style = getComputedStyle(element);
      const [one, two] = [light(parse(style.color)), light(behind(element))].sort((a, b) => b - a);
      const ratio = (one + 0.05) / (two + 0.05);
      const large = parseFloat(style.fontSize) >= 24;
      if (ratio < (large ? 3 : 4.5)) found.add(`${ratio.toFixed(2)}: ${walker.currentNode.textContent.trim().slice(0, 40)}`);
    }
    return [...found];
  });
  assert.deepEqual(poor, [], "text too faint");
}

// One h1, no level left out, every control named, every image of meaning described.
async function structured(page) {
  const faults = await page.evaluate(() => {
    const found = [];
    const levels = [...document.querySelectorAll("h1,h2,h3,h4")].map((heading) => Number(heading.tagName[1]));
    if (levels.filter((level) => level === 1).length !== 1) found.push("not exactly one h1");
    levels.forEach((level, index) => {
      if (level > (levels[index - 1] ?? 0) + 1) found.push(`h${level} after h${levels[index - 1] ?? 0}`);
    });
    for (const control of document.querySelectorAll("a[href], button, summary")) {
      const name = control.getAttribute("aria-label") ?? control.textContent;
      if (!name.trim()) found.push(`no name: ${control.outerHTML.slice(0, 80)}`);
    }
    for (const drawing of document.querySelectorAll('svg:not([aria-hidden="true"])')) {
      const inside = drawing.parentElement.closest("svg");
      if (!inside && !drawing.getAttribute("aria-label")) found.push("a drawing without words");
    }
    const ids = [...document.querySelectorAll("[id]")].map((element) => element.id);
    const twice = ids.filter((id, index) => ids.indexOf(id) !== index);
    if (twice.length > 0) found.push(`ids used twice: ${[...new Set(twice)]}`);
    for (const cell of document.querySelectorAll("th:not([scope])")) found.push(`th without scope: ${cell.textContent}`);
    return found;
  });
  assert.deepEqual(faults, []);
}

function uuid() {
  return randomUUID();
}

async function play({ gateway, key }, player) {
  const session = uuid();
  const types = [
    ["session.started", { platform: "browser-test" }],
    ["task.started", { task_id: "<img src=x onerror=alert(1)>" }],
    ["task.attempted", { task_id: "<img src=x onerror=alert(1)>", outcome: "failure" }],
    ["task.attempted", { task_id: "<img src=x onerror=alert(1)>", outcome: "success" }],
    ["task.completed", { task_id: "<img src=x onerror=alert(1)>" }],
  ];
  const begun = Date.now() - 20_000;
  const events = types.map(([event_type, data], seq) => ({
    event_id: uuid(),
    session_id: session,
    player_id: player,
    seq,
    event_type,
    timestamp: new Date(begun + seq * 4000).toISOString(),
    data,
  }));
  const headers = { authorization: `Bearer ${key}`, "content-type": "application/json" };
  const sent = { sent_at: new Date().toISOString(), events };
  const answer = await fetch(`${gateway}/v1/batch`, { method: "POST", headers, body: JSON.stringify(sent) });
  assert.equal(answer.status, 202, await answer.text());
  return session;
}

async function close({ gateway, key }, session, player) {
  const headers = { authorization: `Bearer ${key}`, "content-type": "application/json" };
  const body = JSON.stringify({ player_id: player, reason: "completed", seq: 5, timestamp: new Date().toISOString() });
  const answer = await fetch(`${gateway}/v1/sessions/${session}/close`, { method: "POST", headers, body });
  assert.equal(answer.status, 202, await answer.text());
}

export { PHONE, legible, noSidewaysScroll, structured };

export const checks = [
  {
    name: "the overview shows a chart, figures and sessions",
    async run({ page, base, shot }) {
      const answer = await open(page, `${base}/`);
      assert.equal(answer.status(), 200);
      assert.equal(await page.locator(".tile").count(), 4);
      await page.goto(`${base}/?range=7d`);
      assert.ok((await page.locator(".bars .fill").count()) > 0, "no bar in the chart of seven days");
      await page.goto(`${base}/`);
      assert.ok((await page.locator("table.list tbody tr").count()) > 0, "no session");
      await connected(page);
      await structured(page);
      await shot("overview-light");
    },
  },
  {
    name: "headers keep the page from being misused",
    async run({ page, base }) {
      const headers = (await open(page, `${base}/`)).headers();
      assert.match(headers["content-security-policy"], /^default-src 'self'/);
      assert.doesNotMatch(headers["content-security-policy"], /unsafe|\*/);
      assert.match(headers["content-security-policy"], /frame-ancestors 'none'/);
      assert.equal(headers["x-content-type-options"], "nosniff");
      assert.equal(headers["referrer-policy"], "no-referrer");
      assert.equal(headers["cache-control"], "no-store");
      const inline = await page.evaluate(
        () => document.querySelectorAll("script:not([src]), [style], style").length,
      );
      assert.equal(inline, 0, "inline script or style");
    },
  },
  {
    name: "the first view is light",
    async run({ page, base }) {
      let bytes = 0;
      let requests = 0;
      page.on("response", async (response) => {
        if (response.url().includes("/stream")) return;
        requests += 1;
        bytes += (await response.body().catch(() => Buffer.alloc(0))).length;
      });
      await open(page, `${base}/`);
      await connected(page);
      assert.ok(requests <= 8, `${requests} requests`);
      assert.ok(bytes < 150_000, `${bytes} bytes`);
    },
  },
  {
    name: "an open page stays up to date",
    async run({ page, base }) {
      await open(page, `${base}/`);
      await connected(page);
      const before = await page.locator("#as-of").textContent();
      await page.waitForFunction((text) => document.getElementById("as-of").textContent !== text, before, {
        timeout: 15_000,
      });
    },
  },
  {
    name: "a page that can't have a stream asks again and again",
    async run({ page, base }) {
      await page.addInitScript(() => delete window.EventSource);
      const polled = page.waitForResponse((answer) => answer.url().includes("/fragment"), { timeout: 15_000 });
      await open(page, `${base}/`);
      assert.ok([200, 304].includes((await polled).status()));
      await connected(page);
    },
  },
  {
    name: "a session that is played now shows by itself, and its end as well",
    needsGateway: true,
    async run({ page, base, shot, ...gateway }) {
      const player = `browser-${uuid().slice(0, 8)}`;
      await open(page, `${base}/`);
      await connected(page);
      await page.evaluate(() => (window.neverReloaded = true));
      const session = await play(gateway, player);
      const row = page.locator("tbody tr", { hasText: player });
      await row.waitFor({ timeout: 30_000 });
      assert.equal(await row.locator(".badge").first().textContent(), "Live");
      const tab = await page.context().newPage();
      await open(tab, `${base}${await row.locator("a").getAttribute("href")}`);
      await tab.locator(".lanes .mark.failure").first().waitFor({ state: "attached", timeout: 30_000 });
      await close(gateway, session, player);
      await row.locator(".badge.good").waitFor({ timeout: 30_000 });
      await tab.locator(".metric").first().waitFor({ timeout: 30_000 });
      assert.equal(await page.evaluate(() => window.neverReloaded), true, "the page was loaded again");
      assert.equal(await tab.locator("img").count(), 0, "a task's name became markup");
      await tab.close();
      await shot("overview-after-play");
    },
  },
  {
    name: "a session's page tells every metric with its meaning",
    async run({ page, base, shot }) {
      const href = await closedSession({ page, base });
      assert.equal((await open(page, base + href)).status(), 200);
      assert.equal(await page.locator(".metric").count(), 53);
      for (const meaning of await page.locator(".metric small").allTextContents()) assert.ok(meaning.length > 3);
      const titles = await page.locator(".metric dd").evaluateAll((all) => all.map((value) => value.title));
      assert.ok(titles.some((title) => title.startsWith("engagement_ratio = ")), "no exact value");
      await structured(page);
      await shot("session-light");
    },
  },
  {
    name: "a session's timeline is drawn to scale",
    async run({ page, base }) {
      await open(page, base + (await closedSession({ page, base })));
      const drawing = page.locator("svg.lanes");
      if ((await drawing.count()) === 0) {
        // Single events are kept only with --event-log: then the page has to say so.
        assert.match(await page.locator("main").textContent(), /--event-log/);
        return;
      }
      const frame = await drawing.boundingBox();
      assert.ok(frame.width > 300 && (await page.locator(".lanes .band").count()) > 0);
      for (const band of await page.locator(".lanes .band").all()) {
        const box = await band.boundingBox();
        assert.ok(box.x >= frame.x - 2 && box.x + box.width <= frame.x + frame.width + 2, "a band outside the drawing");
      }
      assert.match(await drawing.getAttribute("aria-label"), /^Timeline of .* active, .* idle, .* away/);
    },
  },
  {
    name: "dark by the system's wish, and legible in both",
    settings: { colorScheme: "dark" },
    async run({ page, base, shot }) {
      const href = await closedSession({ page, base });
      await connected(page);
      const back = () => page.evaluate(() => getComputedStyle(document.body).backgroundColor);
      assert.equal(await back(), "rgb(13, 16, 21)");
      await legible(page);
      await shot("overview-dark");
      await open(page, base + href);
      await legible(page);
      await shot("session-dark");
      await page.emulateMedia({ colorScheme: "light" });
      await legible(page);
      await open(page, `${base}/`);
      await legible(page);
    },
  },
  {
    name: "a choice of colours is remembered",
    async run({ page, base }) {
      await open(page, `${base}/`);
      await page.click("#theme");
      await page.click("#theme");
      await page.reload();
      assert.equal(await page.getAttribute("html", "data-theme"), "dark");
      assert.equal(await page.getAttribute("#theme", "aria-label"), "Colours: dark");
    },
  },
  {
    name: "a phone shows it all without sideways scrolling",
    settings: PHONE,
    async run({ page, base, shot }) {
      const href = await closedSession({ page, base });
      await connected(page);
      await noSidewaysScroll(page);
      await shot("overview-phone");
      await open(page, base + href);
      await noSidewaysScroll(page);
      await shot("session-phone");
    },
  },
  {
    name: "the keyboard reaches everything",
    async run({ page, base }) {
      await open(page, `${base}/`);
      await page.keyboard.press("Tab");
      assert.equal(await page.evaluate(() => document.activeElement.className), "skip");
      const reached = new Set();
      for (let step = 0; step < 60; step += 1) {
        const id = await page.evaluate(() => document.activeElement.id || document.activeElement.className);
        reached.add(id);
        const ring = await page.evaluate(() => getComputedStyle(document.activeElement).outlineStyle);
        assert.notEqual(ring, "none", `no ring around ${id}`);
        if (id.startsWith("session-")) break;
        await page.keyboard.press("Tab");
      }
      for (const id of ["brand", "theme", "range-1h", "range-7d"]) assert.ok(reached.has(id), `${id} is out of reach`);
      await page.keyboard.press("Enter");
      await page.waitForURL(/\/sessions\//);
    },
  },
  {
    name: "updates leave the focus where it is",
    async run({ page, base }) {
      await open(page, `${base}/`);
      await connected(page);
      const link = page.locator("tbody a").first();
      await link.focus();
      const id = await link.getAttribute("id");
      await page.waitForTimeout(4000);
      const now = await page.evaluate(() => document.activeElement.id);
      const there = await page.evaluate((name) => document.getElementById(name) !== null, id);
      assert.ok(now === id || !there, `the focus went from ${id} to ${now}`);
    },
  },
  {
    name: "wrong addresses are answered with words",
    async run({ page, base, shot }) {
      const cases = [
        [`/sessions/${uuid()}`, 404, "Nothing here by that name"],
        ["/sessions/not-a-uuid", 400, "That address makes no sense"],
        ["/?range=1y", 400, "That address makes no sense"],
        ["/no/such/page", 404, "Nothing here by that name"],
        [`/sessions/${uuid()}?tenant=%3Cscript%3E`, 400, "That address makes no sense"],
      ];
      for (const [path, status, title] of cases) {
        const answer = await open(page, base + path);
        assert.equal(answer.status(), status, path);
        assert.equal(await page.locator("h1").textContent(), title);
        await structured(page);
        await legible(page);
      }
      await shot("wrong-address");
    },
  },
  {
    name: "the page is whole without any script",
    settings: { javaScriptEnabled: false },
    async run({ page, base }) {
      await open(page, `${base}/`);
      assert.ok((await page.locator("table.list tbody tr").count()) > 0);
      assert.match(await page.locator("table.list time").first().textContent(), /UTC$/);
    },
  },
];
