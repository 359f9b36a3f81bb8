// What the gateway's own page promises, and what it lets pages of other origins do.

import assert from "node:assert/strict";
import { randomUUID } from "node:crypto";

import { PHONE, legible, noSidewaysScroll, structured } from "./checks.mjs";

async function docs(page, gateway) {
  const answer = await page.goto(`${gateway}/docs`, { waitUntil: "load" });
  assert.equal(answer.status(), 200);
  await page.waitForSelector("#sendEvent form", { timeout: 20_000 });
  return answer;
}

async function use(page, key, place = "bearer") {
  await page.fill("#key", key);
  await page.selectOption("#place", place);
}

// Presses a call's button; gives the status, headers and body that the page shows. A machine that is slow at the
// moment is asked again, as the answer wants it.
async function send(page, call) {
  for (let times = 0; ; times += 1) {
    const told = await press(page, call);
    if (told.status !== 503 || times === 10) return told;
    await page.waitForTimeout(2000);
  }
}

async function press(page, call) {
  const part = page.locator(`#${call}`);
  await part.locator(".answer").evaluate((answer) => answer.replaceChildren());
  await part.getByRole("button", { name: "Send" }).click();
  const badge = part.locator("[data-status]");
  await badge.waitFor({ timeout: 20_000 });
  return {
    status: Number(await badge.getAttribute("data-status")),
    headers: await part.locator(".told-headers").textContent(),
    body: await part.locator(".told-body").textContent(),
  };
}

const CALLS = {
  sendEvent: 202, sendBatch: 202, closeSession: 202, whoAmI: 200, listSchemas: 200, getSchema: 200,
  isAlive: 200, isReady: 200, getOpenApi: 200, readDocs: 200,
};

function event() {
  return {
    event_id: randomUUID(), session_id: randomUUID(), player_id: "browser-other", seq: 0,
    event_type: "session.started", timestamp: new Date().toISOString(), data: { platform: "web" },
  };
}

// A page of another origin.
async function pageOf(context, origin) {
  const page = await context.newPage();
  await page.goto(`${origin}/`);
  assert.equal(await page.evaluate(() => location.origin), origin);
  return page;
}

// As a page calls: status, and a header that only a permitted page may read; or that it was blocked.
function call(page, url, key, body) {
  const attempt = async ([to, secret, text]) => {
    const headers = { authorization: `Bearer ${secret}`, "content-type": "application/json" };
    try {
      const answer = await fetch(to, { method: "POST", headers, body: text });
      return { status: answer.status, id: answer.headers.get("x-request-id") };
    } catch (error) {
      return { blocked: error.name };
    }
  };
  return page.evaluate(attempt, [url, key, JSON.stringify(body)]);
}

// Whether the log has an event: judged once more, it is a duplicate then. Nothing is kept of it.
async function isThere({ gateway, publishable }, body) {
  const headers = { authorization: `Bearer ${publishable}`, "content-type": "application/json" };
  const options = { method: "POST", headers, body: JSON.stringify(body) };
  const answer = await fetch(`${gateway}/v1/events?dry_run=true`, options);
  if (answer.status === 503) return false;
  assert.equal(answer.status, 202);
  return (await answer.json()).duplicates === 1;
}

async function comes(world, body) {
  const deadline = performance.now() + 30_000;
  while (!(await isThere(world, body))) {
    assert.ok(performance.now() < deadline, "the event never came");
    await new Promise((resolve) => setTimeout(resolve, 100));
  }
}

export const checks = [
  {
    name: "the gateway's page sends every call, with no network but the gateway",
    needsGateway: true,
    ofGateway: true,
    async run({ page, gateway, key, shot }) {
      await docs(page, gateway);
      await structured(page);
      await noSidewaysScroll(page);
      const calls = await page.locator("section.card[id]").evaluateAll((parts) => parts.map((part) => part.id));
      assert.deepEqual(calls.sort(), Object.keys(CALLS).sort());
      assert.equal((await send(page, "whoAmI")).status, 401);
      await use(page, key);
      await page.getByRole("button", { name: "Use", exact: true }).click();
      await page.waitForFunction(() => document.getElementById("said").textContent.includes("The key is good"));
      for (const [name, status] of Object.entries(CALLS)) {
        const told = await send(page, name);
        assert.equal(told.status, status, `${name}: ${told.body}`);
        assert.match(told.headers, /^x-request-id: /m, name);
      }
      assert.equal(JSON.parse((await send(page, "whoAmI")).body).tenant, "local");
      assert.equal(JSON.parse((await send(page, "sendEvent")).body).duplicates, 1, "the same event again");
      await page.locator("#sendEvent summary", { hasText: "As curl" }).click();
      const curl = await page.locator("#sendEvent pre", { hasText: "curl -si" }).textContent();
      assert.ok(curl.includes("$KEY") && !curl.includes(key), curl);
      await shot("docs-light");
    },
  },
  {
    name: "the gateway's page sends an event in every form and of every type",
    needsGateway: true,
    ofGateway: true,
    async run({ page, gateway, key, publishable }) {
      await docs(page, gateway);
      for (const name of ["sendEvent", "sendBatch"]) {
        const form = page.locator(`#${name}`).getByLabel("Form", { exact: true });
        const ways = await form.locator("option").allTextContents();
        assert.ok(ways.length >= 4, ways.join());
        for (const [index, way] of ways.entries()) {
          const plain = way.includes("text/plain");
          await use(page, key);
          await form.selectOption({ index });
          const told = await send(page, name);
          assert.equal(told.status, plain ? 415 : 202, `${way}: ${told.body}`);
          if (!plain || !publishable) continue;
          await use(page, publishable, "query");
          assert.equal((await send(page, name)).status, 202, way);
        }
      }
      await use(page, key);
      const types = page.locator("#sendEvent").getByLabel("Event type", { exact: true });
      const names = (await types.locator("option").evaluateAll((all) => all.map((option) => option.value))).filter(Boolean);
      assert.ok(names.length >= 26, names.join());
      for (const type of names) {
        await types.selectOption(type);
        const told = await send(page, "sendEvent");
        assert.equal(told.status, 202, `${type}: ${told.body}`);
      }
    },
  },
  {
    name: "the gateway's page says what is wrong and forgets the key",
    needsGateway: true,
    ofGateway: true,
    async run({ page, gateway, key }) {
      await docs(page, gateway);
      await use(page, "pl_000000000000_wrong");
      const refused = await send(page, "sendEvent");
      assert.equal(refused.status, 401);
      assert.equal(JSON.parse(refused.body).code, "unauthenticated");
      await page.getByRole("button", { name: "Use", exact: true }).click();
      await page.waitForFunction(() => document.getElementById("said").textContent.startsWith("401"));
      await use(page, key);
      await page.locator("#sendEvent textarea").first().fill('{"event_id": "no"}');
      const told = await send(page, "sendEvent");
      assert.equal(told.status, 422);
      assert.ok(JSON.parse(told.body).errors.some(({ pointer }) => pointer === "/event_id"), told.body);
      const kept = await page.evaluate(() => [localStorage.length, sessionStorage.length, document.cookie, location.href]);
      assert.deepEqual(kept, [0, 0, "", `${gateway}/docs`]);
      await docs(page, gateway);
      assert.equal(await page.inputValue("#key"), "");
    },
  },
  {
    name: "the gateway's page is legible in light and dark, on a phone, and by keyboard",
    needsGateway: true,
    ofGateway: true,
    settings: PHONE,
    async run({ page, gateway, shot }) {
      await docs(page, gateway);
      await page.evaluate(() => document.querySelectorAll("details").forEach((part) => (part.open = true)));
      await noSidewaysScroll(page);
      await structured(page);
      await legible(page);
      await page.emulateMedia({ colorScheme: "dark" });
      assert.equal(await page.evaluate(() => getComputedStyle(document.body).backgroundColor), "rgb(13, 16, 21)");
      await legible(page);
      await docs(page, gateway);
      await shot("docs-phone-dark");
      const unnamed = await page.evaluate(() =>
        [...document.querySelectorAll("input, select, textarea")].filter((control) => control.labels.length === 0).length);
      assert.equal(unnamed, 0, "a field without a label");
      await page.keyboard.press("Tab");
      assert.equal(await page.evaluate(() => document.activeElement.className), "skip");
      const reached = new Set();
      for (let step = 0; step < 80 && !reached.has("Send"); step += 1) {
        await page.keyboard.press("Tab");
        const [name, ring] = await page.evaluate(() => {
          const at = document.activeElement;
          return [at.id === "key" ? "key" : at.textContent.trim(), getComputedStyle(at).outlineStyle];
        });
        assert.notEqual(ring, "none", `no ring around ${name}`);
        reached.add(name);
      }
      assert.ok(reached.has("key") && reached.has("Send"), [...reached].join());
    },
  },
  {
    name: "a page of a named origin calls, and another one is blocked",
    needsGateway: true,
    needsOrigin: true,
    ofGateway: true,
    async run({ context, gateway, publishable, origin }) {
      const [taken, refused] = [event(), event()];
      const named = await pageOf(context, origin);
      const told = await call(named, `${gateway}/v1/events`, publishable, taken);
      assert.equal(told.status, 202, JSON.stringify(told));
      assert.match(told.id, /^req_/);
      await comes({ gateway, publishable }, taken);
      const other = await pageOf(context, origin.replace("127.0.0.1", "localhost"));
      assert.deepEqual(await call(other, `${gateway}/v1/events`, publishable, refused), { blocked: "TypeError" });
      assert.equal(await isThere({ gateway, publishable }, refused), false, "a blocked event is in the log");
    },
  },
  {
    name: "a beacon of a page that closes brings its events",
    needsGateway: true,
    needsOrigin: true,
    ofGateway: true,
    async run({ context, gateway, publishable, origin }) {
      const [now, last] = [event(), event()];
      const page = await pageOf(context, origin);
      const [url, batch] = [`${gateway}/v1/batch?key=${publishable}`, (one) => JSON.stringify({ sent_at: new Date().toISOString(), events: [one] })];
      const seen = page.waitForRequest((request) => request.url() === url);
      assert.equal(await page.evaluate(([to, text]) => navigator.sendBeacon(to, text), [url, batch(now)]), true);
      assert.match((await seen).headers()["content-type"], /^text\/plain/);
      await comes({ gateway, publishable }, now);
      // As a game's page goes away.
      await page.evaluate(([to, text]) => addEventListener("pagehide", () => navigator.sendBeacon(to, text)), [url, batch(last)]);
      assert.equal(await isThere({ gateway, publishable }, last), false);
      await page.goto("about:blank");
      await comes({ gateway, publishable }, last);
    },
  },
];
