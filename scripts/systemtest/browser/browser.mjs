// What the browser's tests have in common: one browser, pages that are watched, the audit, pictures, and the test that runs them.
import assert from "node:assert/strict";
import { mkdirSync, readFileSync, writeSync } from "node:fs";
import { createRequire } from "node:module";
import { createInterface } from "node:readline";
import { after } from "node:test";
import { chromium } from "playwright-core";

/** Addresses of the stack, and where pictures go. */
export const { GATEWAY_URL: gateway, ADMIN_URL: admin, CHROMIUM: executablePath, SCREENSHOTS_ALL: screenshots, SCREENSHOTS: pictures } = process.env;

export const browser = await chromium.launch({
  executablePath,
  args: [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    // No photo of the data loads, on any machine.
    "--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE 127.0.0.1",
  ],
});
after(() => browser.close());

const desktop = { width: 1280, height: 900 };
export const phone = { width: 390, height: 844 };

/**
 * open opens an address as a browser that has never been here, and makes the test fail if a script goes wrong or if anything but
 * photos is asked of another host.
 */
export async function open(t, address, { before, ...options } = {}) {
  const context = await browser.newContext({ viewport: desktop, ...options });
  context.setDefaultTimeout(15_000);
  const page = await context.newPage();
  const wrong = [];
  page.on("pageerror", (error) => wrong.push(String(error)));
  page.on("console", (message) => {
    if (message.type() === "error" && !message.text().startsWith("Failed to load resource")) wrong.push(message.text());
  });
  page.on("request", (request) => {
    const { origin, protocol } = new URL(request.url());
    if (protocol !== "data:" && request.resourceType() !== "image" && origin !== new URL(address).origin) wrong.push(`${request.url()} was asked for`);
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

/** audit makes the test fail if axe finds anything serious or critical in what is on screen, and prints what else it finds. */
export async function audit(page, name) {
  // What fades in has the wrong contrast until it is there.
  await page.evaluate(() => Promise.all(document.getAnimations().filter((a) => a.effect?.getComputedTiming().iterations !== Infinity).map((a) => a.finished.catch(() => {}))));
  await page.evaluate(axe);
  const { violations, passes } = await page.evaluate(() => globalThis.axe.run(document, { resultTypes: ["violations"] }));
  assert.ok(passes.length > 5, `${name}: axe looked at nothing`);
  const found = violations.map(({ impact, id, nodes }) => `${impact} ${id}: ${nodes.slice(0, 3).map((node) => `${node.target} ${node.failureSummary?.replace(/\s+/g, " ")}`).join(" | ")}`);
  const grave = found.filter((violation) => /^(serious|critical)/.test(violation));
  for (const other of found) if (!grave.includes(other)) console.log(`${name}: ${other}`);
  assert.deepEqual(grave, [], `axe on ${name}`);
}

/** show takes a picture for whoever looks at the pictures of a run. */
export async function show(page, name, options = {}) {
  mkdirSync(screenshots, { recursive: true });
  await page.screenshot({ path: `${screenshots}/${name}.png`, ...options });
}

/** picture takes a picture that the README shows, if such are wanted. */
export async function picture(page, name) {
  await show(page, name);
  if (pictures) await page.screenshot({ path: `${pictures}/${name}.png` });
}

/** audited audits and shows. */
export async function audited(page, name, options) {
  await audit(page, name);
  await show(page, name, options);
}

const answers = createInterface({ input: process.stdin })[Symbol.asyncIterator]();
after(() => process.stdin.destroy());

/** ask has the test that runs this script do something to the stack, and returns when it is done. */
export async function ask(step) {
  writeSync(3, step + "\n");
  const { value, done } = await answers.next();
  assert.ok(!done, `${step}: no answer`);
  return value;
}

/** eventually polls until check returns something, and returns that. */
export async function eventually(what, check) {
  for (const deadline = Date.now() + 20_000; Date.now() < deadline; await new Promise((resolve) => setTimeout(resolve, 50))) {
    const value = await check();
    if (value) return value;
  }
  assert.fail(`waited 20 s in vain: ${what}`);
}
