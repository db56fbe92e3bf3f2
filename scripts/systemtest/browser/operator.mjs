// The dashboard on an instance's admin port.
import assert from "node:assert/strict";
import { test } from "node:test";
import { admin, audited, eventually, open, phone, picture } from "./browser.mjs";

test("the dashboard", async (t) => {
  const page = await open(t, admin + "/", { viewport: { width: 1280, height: 1360 } });
  await eventually("the last minutes are drawn", async () => {
    await page.reload();
    return page.getByRole("heading", { name: "Now" }).locator("xpath=following-sibling::div//*[name()='svg']").first().isVisible();
  });
  assert.match(await page.locator("body").innerText(), /version \d+/);
  const runs = page.getByRole("region", { name: "Runs of products" });
  for (const [state, gates] of [["published", "passed"], ["failed", "failed"]]) {
    assert.ok((await runs.getByRole("row").filter({ hasText: new RegExp(`${state}.*${gates}`) }).count()) > 0, `no run is ${state}`);
  }
  await audited(page, "operator-whole", { fullPage: true });
  await picture(page, "operator");
  await page.emulateMedia({ colorScheme: "dark" });
  await audited(page, "operator-dark", { fullPage: true });
  await page.setViewportSize(phone);
  await audited(page, "operator-phone", { fullPage: true });
  assert.ok(await page.evaluate(() => document.documentElement.scrollWidth <= innerWidth), "it is as wide as a phone");
});
