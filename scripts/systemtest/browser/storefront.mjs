// The storefront, through NGINX, with real rows up to product 350 and generated ones after them.
import assert from "node:assert/strict";
import { test } from "node:test";
import { audit, audited, eventually, gateway, open, perform, phone, picture, show } from "./browser.mjs";

const products = Number(process.env.PRODUCTS);
const perPage = 24;
const lastPage = Math.ceil(products / perPage);

const heading = (page, name) => page.getByRole("heading", { level: 1, name, exact: true });
const related = (page) => page.getByRole("region", { name: "Related products" });
const text = async (locator) => (await locator.innerText()).replace(/\s+/g, " ").replaceAll(" ,", ",").trim();
const fits = (page) => page.evaluate(() => document.documentElement.scrollWidth <= innerWidth);

/** measure records when the product's name is on screen, and the layout shift. */
async function measure(page, name) {
  await page.addInitScript((name) => {
    globalThis.moved = 0;
    new PerformanceObserver((list) => {
      for (const e of list.getEntries()) globalThis.moved += e.hadRecentInput ? 0 : e.value;
    }).observe({ type: "layout-shift", buffered: true });
    new MutationObserver(() => {
      if (globalThis.seen || document.querySelector("h1")?.textContent !== name) return;
      requestAnimationFrame(() => (globalThis.seen ??= performance.now()));
    }).observe(document, { subtree: true, childList: true, characterData: true });
  }, name);
}

/** figures prints and returns the cost of a product's page, as Lighthouse does. */
async function figures(page, visit) {
  const cost = await page.evaluate(() => {
    const entries = [...performance.getEntriesByType("navigation"), ...performance.getEntriesByType("resource")];
    const ours = entries.filter((e) => new URL(e.name).origin === location.origin);
    return {
      requests: ours.length,
      bytes: ours.reduce((sum, e) => sum + e.transferSize, 0),
      script: ours.filter((e) => e.initiatorType === "script").reduce((sum, e) => sum + e.transferSize, 0),
      name: globalThis.seen,
      paint: performance.getEntriesByName("first-contentful-paint")[0]?.startTime,
      moved: globalThis.moved,
    };
  });
  console.log(
    `${visit}: ${cost.requests} requests, ${cost.bytes} bytes (${cost.script} of scripts), first paint ${cost.paint?.toFixed()} ms, ` +
      `the product's name ${cost.name.toFixed()} ms, layout shift ${cost.moved.toFixed(4)}`,
  );
  return cost;
}

test("a product", async (t) => {
  const page = await open(t, `${gateway}/item/1`, { before: (page) => measure(page, "Camo Onesie") });
  await heading(page, "Camo Onesie").waitFor();
  await page.waitForLoadState("networkidle");
  assert.equal(await page.title(), "Camo Onesie · systemScale");
  const first = await figures(page, "first visit of a product");
  assert.ok(first.moved < 0.1, "layout shift");
  assert.deepEqual(await page.getByLabel("Features").locator("dt, dd").allInnerTexts(), ["Fabric", "Canvas", "Buttons", "Brass"]);
  const price = page.locator(".details .price");
  assert.equal(await text(price), "Price $140.00");
  assert.ok(await page.getByRole("radio", { name: "Forest Green & Black" }).isChecked(), "the default style is chosen");

  // No photo loads: placeholders replace the large photo and the thumbnails.
  await page.locator(".frame .picture[data-state=missing]").waitFor();
  assert.equal(await text(page.locator(".frame .placeholder")), "C");
  assert.ok(await page.getByText("did not load").isVisible());
  await page.locator(".thumbnails .picture[data-state=missing]").first().waitFor();
  assert.equal(await page.locator(".frame img").count(), 0);
  await audited(page, "product", { fullPage: true });
  await page.getByRole("button", { name: "Next photo" }).click();
  await page.getByText("2 / 6").waitFor();

  // Two SKUs of this style are XL.
  const sizes = page.getByRole("radiogroup", { name: "Size" }).getByRole("radio");
  const labels = await sizes.evaluateAll((radios) => radios.map((radio) => radio.getAttribute("aria-label")));
  assert.deepEqual(labels, ["XS", "S", "M", "L", "XL"]);
  const quantity = page.getByRole("combobox", { name: "Quantity" });
  assert.ok(await quantity.isDisabled(), "a quantity can be chosen before a size");
  await page.getByRole("radio", { name: "XL", exact: true }).check();
  await page.getByText("XL · 19 left").waitFor();
  await quantity.selectOption("2");
  assert.equal(await text(page.getByRole("status", { name: "Total" })), "Total $280.00");

  await page.getByRole("radio", { name: "Ocean Blue & Grey" }).check();
  assert.equal(await text(page.getByRole("status", { name: "Total" })), "Total $200.00", "size and quantity stay chosen");
  assert.equal(await text(price), "Sale price $100.00, original price $140.00");
  assert.equal(await text(price.locator("s")), "$140.00");
  assert.match(page.url(), /\/item\/1\?style=3$/);
  await page.keyboard.press("ArrowRight");
  assert.ok(await page.getByRole("radio", { name: "Digital Red & Black" }).isChecked(), "arrow keys choose a style");
  await page.getByRole("radio", { name: "Ocean Blue & Grey" }).check();

  await audited(page, "product-chosen");

  const names = await related(page).getByRole("link").allInnerTexts();
  assert.deepEqual(names, ["Bright Future Sunglasses", "Morning Joggers", "YEasy 350", "Blues Suede Shoes"]);
  await related(page).getByRole("link", { name: "Bright Future Sunglasses" }).click();
  await heading(page, "Bright Future Sunglasses").waitFor();
  assert.match(page.url(), /\/item\/2$/);
  assert.ok(await heading(page, "Bright Future Sunglasses").evaluate((h1) => h1 === document.activeElement), "the heading of the new page has the focus");
  assert.equal(await page.evaluate(() => scrollY), 0);
  await page.goBack();
  await heading(page, "Camo Onesie").waitFor();
  assert.ok(await page.getByRole("radio", { name: "Ocean Blue & Grey" }).isChecked(), "the style is in the address");

  await page.goto(`${gateway}/item/1`);
  await heading(page, "Camo Onesie").waitFor();
  await page.waitForLoadState("networkidle");
  const again = await figures(page, "the same again");
  assert.ok(again.bytes < first.bytes / 5, "little is fetched twice");
});

test("photos that load take the placeholder's place", async (t) => {
  const photo = (n) =>
    `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 600 750"><rect width="600" height="750" fill="hsl(${(n * 47) % 360} 22% 70%)"/>` +
    `<path d="M210 220 300 180l90 40 70 120-60 40-20-40v250H220V340l-20 40-60-40z" fill="hsl(${(n * 47) % 360} 26% 42%)"/></svg>`;
  const sumOf = (text) => [...text].reduce((sum, c) => sum + c.charCodeAt(0), 0);
  const before = (page) =>
    page.route("https://images.unsplash.com/**", (route) =>
      route.fulfill({ contentType: "image/svg+xml", body: photo(sumOf(new URL(route.request().url()).pathname)) }),
    );
  const page = await open(t, `${gateway}/item/1?style=3`, { before });
  await page.locator(".frame .picture[data-state=there]").waitFor();
  await page.getByRole("img", { name: /^Camo Onesie, Ocean Blue & Grey, photo 1 of \d+$/ }).waitFor();
  await page.waitForLoadState("networkidle");
  await page.getByRole("radio", { name: "L", exact: true }).check();
  await page.mouse.move(0, 0);
  await audit(page, "product with photos");
  await picture(page, "storefront-product");
  const small = await open(t, `${gateway}/item/1?style=3`, { before, viewport: phone, deviceScaleFactor: 2 });
  await small.locator(".frame .picture[data-state=there]").waitFor();
  await small.waitForLoadState("networkidle");
  await picture(small, "storefront-phone");
});

test("paging to the end and back", async (t) => {
  const page = await open(t, gateway + "/");
  const number = (n) => page.getByText(`Page ${n}`, { exact: true });
  const cards = page.getByRole("list", { name: "Products" });
  const ids = () => cards.getByRole("link").evaluateAll((links) => links.map((link) => Number(link.pathname.split("/").pop())));
  const button = (name) => page.getByRole("button", { name });
  await number(1).waitFor();
  assert.equal(await page.title(), "Catalog · systemScale");
  assert.ok(await button("Previous page").isDisabled());
  await page.waitForLoadState("networkidle");
  await audited(page, "catalog", { fullPage: true });
  await picture(page, "storefront-catalog");

  const forward = await ids();
  for (let n = 2; n <= lastPage; n++) {
    await button("Next page").click();
    await number(n).waitFor();
    forward.push(...(await ids()));
  }
  assert.deepEqual(forward, Array.from({ length: products }, (_, i) => i + 1), "each product once, in order");
  assert.ok(await button("Next page").isDisabled(), "there is a page after the last");
  assert.ok(page.url().endsWith(`/?page=${lastPage}`), page.url());
  await audited(page, "catalog-end", { fullPage: true });
  for (let n = lastPage - 1; n >= 1; n--) {
    await button("Previous page").click();
    await number(n).waitFor();
  }
  assert.equal((await ids())[0], 1);

  // In one step.
  await page.goto(gateway + "/");
  await number(1).waitFor();
  await button("Last page").click();
  await number(lastPage).waitFor();
  await page.getByText(`of ${lastPage}`).waitFor();
  await page.getByRole("textbox", { name: "Page number" }).fill("7");
  await page.keyboard.press("Enter");
  await number(7).waitFor();
  assert.equal((await ids())[0], 6 * perPage + 1);
  await page.goBack();
  await number(lastPage).waitFor();
  await button("First page").click();
  await number(1).waitFor();
  await cards.getByRole("link", { name: "Morning Joggers" }).click();
  await heading(page, "Morning Joggers").waitFor();

  // A generated product.
  await page.goto(`${gateway}/item/${products}`);
  await page.getByRole("radiogroup", { name: "Style" }).waitFor();
  await audited(page, "product-generated");
});

test("missing data", async (t) => {
  const page = await open(t, `${gateway}/item/300`);
  await page.getByText("This product has no styles.").waitFor();
  await page.getByText("This product has no related products.").waitFor();
  assert.equal(await page.getByLabel("Features").count(), 0);
  assert.match(await text(page.locator(".details .price")), /^Price \$\d/);
  await audited(page, "empty-no-styles");

  await page.goto(`${gateway}/item/40`);
  await page.getByText("No photos of this style").waitFor();
  await page.getByText("The sizes of this style are unknown.").waitFor();
  await audited(page, "empty-no-photos");

  // Product 5 names product 6 twice, product 4 itself.
  await page.goto(`${gateway}/item/5`);
  await related(page).getByRole("link", { name: "Pumped Up Kicks" }).waitFor();
  await eventually("all cards", async () => (await related(page).getAttribute("aria-busy")) === "false");
  assert.equal(await related(page).getByRole("link").count(), 5);
  await page.goto(`${gateway}/item/4`);
  await related(page).getByRole("link", { name: "Camo Onesie" }).waitFor();
  assert.equal(await related(page).getByRole("link", { name: "Slacker's Slacks" }).count(), 0);

  for (const [address, title] of [
    ["/item/999999", "No such product"],
    ["/item/none", "No such product"],
    ["/?page=9999", "Past the last page"],
  ]) {
    await page.goto(gateway + address);
    await heading(page, title).waitFor();
    await audited(page, `message${address.replace(/\W+/g, "-")}`);
  }
  const nothing = await page.goto(`${gateway}/nothing/here`);
  assert.equal(nothing.status(), 404);
});

test("skeletons before the data, without layout shift", async (t) => {
  let release;
  const released = new Promise((resolve) => (release = resolve));
  const before = async (page) => {
    await measure(page, "Camo Onesie");
    await page.route("**/products**", async (route) => {
      await released;
      await route.continue();
    });
  };
  const page = await open(t, `${gateway}/item/1`, { before });
  const catalog = await open(t, gateway + "/", { before });
  await page.locator(".product[aria-busy=true]").waitFor();
  await audited(page, "skeleton-product");
  await catalog.getByText("Loading page 1…").waitFor();
  await audited(catalog, "skeleton-catalog");
  release();
  await heading(page, "Camo Onesie").waitFor();
  await page.waitForLoadState("networkidle");
  const moved = await page.evaluate(() => globalThis.moved);
  assert.ok(moved < 0.1, `layout shift ${moved}`);
});

test("dark mode, a phone, and the keyboard", async (t) => {
  for (const colorScheme of ["light", "dark"]) {
    for (const [name, viewport] of Object.entries({ phone, desktop: { width: 1280, height: 900 } })) {
      for (const [what, address] of Object.entries({ catalog: "/", product: "/item/1?style=3", message: "/item/999999" })) {
        const page = await open(t, gateway + address, { colorScheme, viewport });
        await page.waitForLoadState("networkidle");
        await audited(page, `${what}-${name}-${colorScheme}`, { fullPage: true });
        assert.ok(await fits(page), `${address} is wider than a ${name}`);
      }
    }
  }
  const page = await open(t, `${gateway}/item/1`);
  await heading(page, "Camo Onesie").waitFor();
  await page.keyboard.press("Tab");
  await page.keyboard.press("Enter");
  assert.equal(await page.evaluate(() => document.activeElement.id), "main", "the skip link has the focus first");
});

test("the developer panel", async (t) => {
  const page = await open(t, `${gateway}/item/1`);
  await heading(page, "Camo Onesie").waitFor();
  await page.keyboard.press("d");
  const panel = page.getByRole("complementary", { name: "Developer panel" });
  await panel.waitFor();
  const product = page.getByRole("rowheader", { name: "/products/1", exact: true });
  const row = (...cells) => panel.getByRole("row").filter({ has: product }).filter({ hasText: new RegExp(cells.join("[^]*")) });
  await row("200").first().waitFor();
  // The page polls and gets 304, after a while from the cache.
  await row("304", "HIT", "cache;desc=HIT").first().waitFor();
  const requests = async () => (await row("").count());
  const before = await requests();
  await page.waitForTimeout(2100); // fresh data is not requested again
  await page.evaluate(() => window.dispatchEvent(new Event("focus")));
  await eventually("a request when the window gets the focus", async () => (await requests()) > before);
  await audited(page, "panel");
});

test("the documentation", async (t) => {
  const page = await open(t, `${gateway}/docs`);
  await page.getByText("/products/{product_id}/styles", { exact: true }).click();
  await page.getByRole("button", { name: "Try it out" }).click();
  await page.getByRole("button", { name: "Execute" }).click();
  await page.locator(".live-responses-table .response-col_status").filter({ hasText: "200" }).first().waitFor();
  await show(page, "docs");
});

test("a new price without a reload", async (t) => {
  const page = await open(t, `${gateway}/item/1`);
  const catalog = await open(t, gateway + "/");
  const card = catalog.getByRole("article").filter({ has: catalog.getByRole("link", { name: "Camo Onesie" }) });
  await card.getByText("$140.00").waitFor();
  await page.getByText("$140.00").first().waitFor();
  await page.getByRole("radio", { name: "L", exact: true }).check();
  for (const each of [page, catalog]) await each.evaluate(() => (globalThis.loaded = "once"));
  const version = await text(page.getByText(/^Data version \d+$/));
  await perform("publish");
  const published = performance.now();
  await page.getByText("$19.00").first().waitFor();
  console.log(`a changed price was on screen ${(performance.now() - published).toFixed()} ms after the end of the ETL`);
  assert.equal(await text(page.locator(".details .price")), "Sale price $19.00, original price $140.00");
  const announcement = page.locator(".details").getByRole("status").filter({ hasText: "Forest Green & Black: $19.00, was $140.00" });
  assert.equal(await announcement.count(), 1, "the change is announced");
  assert.ok(await page.getByRole("radio", { name: "L", exact: true }).isChecked(), "the size stays chosen");
  await card.getByText("$151.00").waitFor();
  await eventually("the new version on the page", async () => (await text(page.getByText(/^Data version \d+$/))) !== version);
  for (const each of [page, catalog]) assert.equal(await each.evaluate(() => globalThis.loaded), "once", "the page was loaded again");
  await audited(page, "product-new-price");
});

test("pages while Postgres is down", async (t) => {
  const seen = await open(t, `${gateway}/item/1`);
  await heading(seen, "Camo Onesie").waitFor();
  // NGINX caches a response on its second request.
  const cached = [1, 2, 3, 4, 5, 6, 7, 8, 9].flatMap((id) => ["", "/styles", "/related"].map((document) => `/products/${id}${document}`));
  for (const path of [...cached, `/products?page=1&count=${perPage}`, `/products?page=2&count=${perPage}`]) {
    await eventually(`${path} is cached`, async () => {
      const response = await fetch(gateway + path, { headers: { "Accept-Encoding": "gzip" } });
      await response.arrayBuffer();
      return response.headers.get("X-Cache") === "HIT";
    });
  }
  await perform("stop Postgres");

  const page = await open(t, gateway + "/");
  await page.getByText("Page 1", { exact: true }).waitFor();
  await page.getByRole("button", { name: "Next page" }).click();
  await page.getByText("Page 2", { exact: true }).waitFor();
  await page.goto(`${gateway}/item/2`);
  await heading(page, "Bright Future Sunglasses").waitFor();
  await page.getByRole("radio", { name: "Black Lenses & Gold Frame" }).waitFor();
  await related(page).getByRole("link", { name: "Morning Joggers" }).click();
  await heading(page, "Morning Joggers").waitFor();
  await audited(page, "down-cached");
  await seen.reload();
  await heading(seen, "Camo Onesie").waitFor();

  // For data that is not cached, the page shows an error. Data on the screen stays.
  const late = await open(t, `${gateway}/item/77`);
  await heading(late, "The catalog cannot be reached").waitFor();
  await audited(late, "down-not-cached");
  await late.getByRole("button", { name: "Try again" }).waitFor();
  await page.goto(gateway + "/");
  await page.getByText("Page 1", { exact: true }).waitFor();
  await page.getByRole("textbox", { name: "Page number" }).fill("3000");
  await page.keyboard.press("Enter");
  await heading(page, "The catalog cannot be reached").waitFor();
  await perform("start Postgres");
  await late.getByRole("radiogroup", { name: "Style" }).or(late.getByText("This product has no styles.")).first().waitFor();
  await heading(page, "Past the last page").waitFor();
  await audit(page, "up again");
});

test("pages while the gateway is unreachable", async (t) => {
  const page = await open(t, `${gateway}/item/1`);
  await heading(page, "Camo Onesie").waitFor();
  await page.waitForLoadState("networkidle");
  let reachable = false;
  await page.route("**/products**", (route) => (reachable ? route.continue() : route.abort()));
  await page.getByText("You see the last loaded data").waitFor();
  assert.ok(await heading(page, "Camo Onesie").isVisible());
  await audited(page, "away");
  const button = page.getByRole("button", { name: "Try now" });
  await button.click({ trial: true });
  // Only now: the page also retries on its own, and then the button disappears.
  const clicked = button.click();
  reachable = true;
  await clicked;
  await page.getByText("You see the last loaded data").waitFor({ state: "hidden" });
});

test("addresses without a page", async (t) => {
  for (const [path, name] of [
    ["/nonsense", "There is nothing at this address"],
    ["/products/99999999/xyz", "There is nothing at this address"],
    ["/products/99999999", "There is nothing at this address"],
    ["/item/abc", "No such product"],
  ]) {
    const page = await open(t, `${gateway}/docs`);
    for (const encounter of ["first", "second"]) {
      const response = await page.goto(gateway + path);
      assert.equal(response.status(), 404, `${path}, ${encounter}`);
      const headers = response.headers();
      assert.equal(headers["cache-control"], "no-store");
      assert.match(headers.vary, /Accept(,|\n|$)/);
      assert.match(headers["content-security-policy"], /frame-ancestors 'none'/);
      await heading(page, name).waitFor();
    }
    // A script gets problem+json instead of a page.
    const { status, type } = await page.evaluate(async (path) => {
      const response = await fetch(path);
      return { status: response.status, type: response.headers.get("Content-Type") };
    }, path);
    assert.deepEqual({ status, type }, { status: 404, type: "application/problem+json" }, path);
    await audit(page, path);
    await page.getByRole("link", { name: "Go to the catalog" }).click();
    await heading(page, "The catalog").waitFor();
  }
});

test("pages in frames", async (t) => {
  const page = await open(t, gateway);
  for (const path of ["/", "/item/1", "/docs", "/nonsense"]) {
    const response = await page.request.get(gateway + path, { headers: { Accept: "text/html" } });
    assert.match(response.headers()["content-security-policy"], /frame-ancestors 'none'/, path);
    assert.ok(!/http-equiv/i.test(await response.text()), `${path} has a policy in the page as well`);
  }
});
