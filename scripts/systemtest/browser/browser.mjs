// Shared by the browser tests: the browser, pages that record errors, audits, screenshots, and steps in the Go test.
import assert from "node:assert/strict";
import { mkdirSync, readFileSync, writeSync } from "node:fs";
import { createRequire } from "node:module";
import { createInterface } from "node:readline";
import { after } from "node:test";
import { chromium } from "playwright-core";

/** Addresses of the stack, and directories of the screenshots. */
export const { GATEWAY_URL: gateway, ADMIN_URL: admin, SCREENSHOTS_ALL: screenshots, SCREENSHOTS: pictures } = process.env;

export const browser = await chromium.launch({
  executablePath: process.env.CHROMIUM,
  args: [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    // The photos of the data must not load on any machine.
    "--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE 127.0.0.1",
  ],
});
after(() => browser.close());

const desktop = { width: 1280, height: 900 };
export const phone = { width: 390, height: 844 };

/**
 * open opens an address in a new browser context. The test fails on a script error, or on a request to another host except for an image.
 */
export async function open(t, address, { before, ...options } = {}) {
  const context = await browser.newContext({ viewport: desktop, ...options });
  context.setDefaultTimeout(60_000);
  const page = await context.newPage();
  const wrong = [];
  page.on("pageerror", (error) => wrong.push(String(error)));
  page.on("console", (message) => {
    if (message.type() === "error" && !message.text().startsWith("Failed to load resource")) wrong.push(message.text());
  });
  page.on("request", (request) => {
    const { origin, protocol } = new URL(request.url());
    if (protocol === "data:" || request.resourceType() === "image" || origin === new URL(address).origin) return;
    wrong.push(`request for ${request.url()}`);
  });
  t.after(async () => {
    await context.close();
    assert.deepEqual(wrong, []);
  });
  await before?.(page);
  await page.goto(address);
  return page;
}

const axe = readFileSync(createRequire(import.meta.url).resolve("axe-core/axe.min.js"), "utf8");

/** audit fails if axe finds a serious or critical violation in the page, and prints the others. */
export async function audit(page, name) {
  // Contrast is too low during a fade-in.
  await page.evaluate(() => {
    const finite = document.getAnimations().filter((a) => a.effect?.getComputedTiming().iterations !== Infinity);
    return Promise.all(finite.map((a) => a.finished.catch(() => {})));
  });
  await page.evaluate(axe);
  const { violations, passes } = await page.evaluate(() => globalThis.axe.run(document, { resultTypes: ["violations"] }));
  assert.ok(passes.length > 5, `${name}: axe checked nothing`);
  const describe = (node) => `${node.target} ${node.failureSummary?.replace(/\s+/g, " ")}`;
  const found = violations.map(({ impact, id, nodes }) => `${impact} ${id}: ${nodes.slice(0, 3).map(describe).join(" | ")}`);
  const grave = found.filter((violation) => /^(serious|critical)/.test(violation));
  for (const other of found) if (!grave.includes(other)) console.log(`${name}: ${other}`);
  assert.deepEqual(grave, [], `axe on ${name}`);
}

/** show takes a screenshot. */
export async function show(page, name, options = {}) {
  mkdirSync(screenshots, { recursive: true });
  await page.screenshot({ path: `${screenshots}/${name}.png`, ...options });
}

/** picture takes a screenshot, and a second one for the README if SCREENSHOTS is set. */
export async function picture(page, name) {
  await show(page, name);
  if (pictures) await page.screenshot({ path: `${pictures}/${name}.png` });
}

/** audited audits the page and takes a screenshot. */
export async function audited(page, name, options) {
  await audit(page, name);
  await show(page, name, options);
}

const replies = createInterface({ input: process.stdin })[Symbol.asyncIterator]();
after(() => process.stdin.destroy());

/** perform makes the Go test execute a step, and returns after its end. */
export async function perform(step) {
  writeSync(3, step + "\n");
  const { value, done } = await replies.next();
  assert.ok(!done, `${step}: no reply`);
  return value;
}

/** eventually polls until check returns a truthy value, and returns it. */
export async function eventually(what, check) {
  for (const deadline = Date.now() + 60_000; Date.now() < deadline; await new Promise((resolve) => setTimeout(resolve, 50))) {
    const value = await check();
    if (value) return value;
  }
  assert.fail(`not after 60 s: ${what}`);
}
