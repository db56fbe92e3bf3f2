// The dashboard on an instance's admin port.
import assert from "node:assert/strict";
import { test } from "node:test";
import { admin, audited, eventually, open, phone, picture } from "./browser.mjs";

test("the dashboard", async (t) => {
  const page = await open(t, admin + "/", { viewport: { width: 1280, height: 1360 } });
  await eventually("a chart of the last minutes", async () => {
    await page.reload();
    return page.getByRole("heading", { name: "Now" }).locator("xpath=following-sibling::div//*[name()='svg']").first().isVisible();
  });
  assert.match(await page.locator("body").innerText(), /version \d+/);
  const runs = page.getByRole("region", { name: "Runs of products" });
  for (const [state, gates] of [["published", "passed"], ["failed", "failed"]]) {
    assert.ok((await runs.getByRole("row").filter({ hasText: new RegExp(`${state}.*${gates}`) }).count()) > 0, `no ${state} run`);
  }
  await audited(page, "dashboard-whole", { fullPage: true });
  await picture(page, "dashboard");
  await page.emulateMedia({ colorScheme: "dark" });
  await audited(page, "dashboard-dark", { fullPage: true });
  await page.setViewportSize(phone);
  await audited(page, "dashboard-phone", { fullPage: true });
  assert.ok(await page.evaluate(() => document.documentElement.scrollWidth <= innerWidth), "the page is wider than the screen");
});
