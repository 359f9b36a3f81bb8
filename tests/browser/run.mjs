// The dashboard in a real browser: node run.mjs --base URL [--gateway URL --key KEY [--publishable KEY --origin ORIGIN]]
//   [--shots DIR] [--chromium PATH]
//
// --base names a dashboard with at least one closed session. With a gateway and a key the script also
// plays a session of its own and waits for it to show on a page that is already open, and tries the gateway's own page.
// With a publishable key and an origin whose pages may call, it does what such a page does. The browser is the one
// that --chromium or PLAYLEDGER_TEST_CHROMIUM names, else the first of chromium, chromium-browser and
// google-chrome that PATH holds.
// Exit status: 0 all held, 1 something did not, 2 bad usage.

import { accessSync, constants, mkdirSync } from "node:fs";
import { delimiter, join } from "node:path";
import { parseArgs } from "node:util";

import { chromium } from "playwright-core";

import { checks as ofPages } from "./checks.mjs";
import { checks as ofGateway } from "./gateway.mjs";

const usage = "usage: node run.mjs --base URL [--gateway URL --key KEY [--publishable KEY --origin ORIGIN]] [--shots DIR] [--chromium PATH]";
const options = {
  base: { type: "string" },
  gateway: { type: "string" },
  key: { type: "string" },
  publishable: { type: "string" },
  origin: { type: "string" },
  shots: { type: "string" },
  chromium: { type: "string" },
};
const browsers = ["chromium", "chromium-browser", "google-chrome"];

function given() {
  try {
    const { values } = parseArgs({ options });
    if (!values.base) throw new Error("--base is missing");
    if (Boolean(values.gateway) !== Boolean(values.key)) throw new Error("--gateway and --key go together");
    if (Boolean(values.publishable) !== Boolean(values.origin)) throw new Error("--publishable and --origin go together");
    return { ...values, base: values.base.replace(/\/$/, "") };
  } catch (error) {
    console.error(`${error.message}\n${usage}`);
    process.exit(2);
  }
}

function runs(path) {
  try {
    accessSync(path, constants.X_OK);
    return true;
  } catch {
    return false;
  }
}

function browserProgram(named) {
  const wanted = named ?? process.env.PLAYLEDGER_TEST_CHROMIUM;
  if (wanted) {
    if (runs(wanted)) return wanted;
    console.error(`${wanted}: there is no such browser; --chromium or PLAYLEDGER_TEST_CHROMIUM names it`);
    process.exit(2);
  }
  const folders = (process.env.PATH ?? "").split(delimiter).filter(Boolean);
  const found = browsers.flatMap((name) => folders.map((folder) => join(folder, name))).find(runs);
  if (found) return found;
  console.error(
    `no browser: PATH holds none of ${browsers.join(", ")}. Install Chromium (apt-get install chromium), ` +
      "or name one with --chromium or PLAYLEDGER_TEST_CHROMIUM",
  );
  process.exit(2);
}

// A tab that writes down whatever should not happen in it.
async function watchedTab(browser, base, settings) {
  const context = await browser.newContext({ viewport: { width: 1280, height: 900 }, ...settings });
  const page = await context.newPage();
  const faults = [];
  const host = new URL(base).host;
  page.on("console", (message) => {
    // The browser itself reports each answer over 399; checks that ask for one look at its status.
    const answered = message.text().startsWith("Failed to load resource");
    if (message.type() === "error" && !answered) faults.push(`console: ${message.text()}`);
  });
  page.on("pageerror", (error) => faults.push(`script: ${error.message}`));
  page.on("request", (request) => {
    const url = new URL(request.url());
    if (url.protocol !== "data:" && url.host !== host) faults.push(`request to another host: ${url}`);
  });
  return { context, page, faults };
}

async function main() {
  const args = given();
  if (args.shots) mkdirSync(args.shots, { recursive: true });
  const browser = await chromium.launch({ executablePath: browserProgram(args.chromium), args: ["--no-sandbox"] });
  let failed = 0;
  let skipped = 0;
  const checks = [...ofPages, ...ofGateway];
  for (const check of checks) {
    const lacks = [[check.needsGateway, "gateway"], [check.needsOrigin, "origin"]].find(([needs, name]) => needs && !args[name]);
    if (lacks) {
      skipped += 1;
      console.log(`SKIPPED  ${check.name} (no --${lacks[1]})`);
      continue;
    }
    const tab = await watchedTab(browser, check.ofGateway ? args.gateway : args.base, check.settings);
    const shot = async (name) => {
      if (args.shots) await tab.page.screenshot({ path: join(args.shots, `${name}.png`), fullPage: true });
    };
    const begun = performance.now();
    try {
      await check.run({ ...args, page: tab.page, context: tab.context, shot });
      if (tab.faults.length > 0) throw new Error(tab.faults.join("\n"));
      console.log(`ok       ${check.name} (${Math.round(performance.now() - begun)} ms)`);
    } catch (error) {
      failed += 1;
      console.log(`FAILED   ${check.name}\n${String(error.stack ?? error).replace(/^/gm, "         ")}`);
      await shot(`failed-${check.name.replace(/\W+/g, "-")}`).catch(() => {});
    }
    await tab.context.close();
  }
  await browser.close();
  console.log(`${checks.length - failed - skipped} held, ${failed} failed, ${skipped} skipped`);
  return failed === 0 ? 0 : 1;
}

process.exitCode = await main();
