// Two products whose ids differ by one and are equal as numbers of JavaScript.
import assert from "node:assert/strict";
import { test } from "node:test";
import { gateway, open } from "./browser.mjs";

const even = "9007199254740992";
const odd = "9007199254740993";
const heading = (page, name) => page.getByRole("heading", { level: 1, name, exact: true });

test("each link leads to its own product", async (t) => {
  const page = await open(t, gateway + "/");
  const link = (name) => page.getByRole("article").getByRole("link", { name, exact: true });
  await link("Odd Bat").waitFor();
  assert.equal(await link("Even Ball").getAttribute("href"), `/item/${even}`);
  assert.equal(await link("Odd Bat").getAttribute("href"), `/item/${odd}`);
  assert.ok(await page.getByText(`No. ${odd}`).isVisible());

  await link("Odd Bat").click();
  await heading(page, "Odd Bat").waitFor();
  assert.equal(new URL(page.url()).pathname, `/item/${odd}`);
  await page.getByRole("radio", { name: "Blue", exact: true }).waitFor();
  await page.getByText("blue", { exact: true }).waitFor();
  await page.getByRole("radio", { name: "M", exact: true }).check();
  await page.getByText("M · 4 left").waitFor();

  await page.goto(`${gateway}/item/${even}`);
  await heading(page, "Even Ball").waitFor();
  await page.getByRole("radio", { name: "Red", exact: true }).waitFor();
  const related = page.getByRole("region", { name: "Related products" }).getByRole("link", { name: "Odd Bat", exact: true });
  await related.waitFor();
  assert.equal(await related.getAttribute("href"), `/item/${odd}`);

  await page.goto(`${gateway}/item/${odd}?style=${odd}`);
  assert.ok(await page.getByRole("radio", { name: "Blue", exact: true }).isChecked());
});
