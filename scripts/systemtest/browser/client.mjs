// Requests of an existing client: from a page of another origin, with a prefix of the original service and an Authorization header.
import assert from "node:assert/strict";
import { createServer } from "node:http";
import { test } from "node:test";
import { browser, gateway } from "./browser.mjs";

test("requests from another origin", async (t) => {
  const document = "<!doctype html><title>another origin</title>";
  const elsewhere = createServer((_, response) => response.setHeader("Content-Type", "text/html").end(document));
  await new Promise((resolve) => elsewhere.listen(0, "127.0.0.1", resolve));
  t.after(() => elsewhere.close());
  const context = await browser.newContext();
  t.after(() => context.close());
  const page = await context.newPage();
  await page.goto(`http://127.0.0.1:${elsewhere.address().port}/`);

  const base = `${gateway}/api/fec2/hr-rfp/products`;
  const call = (path, headers = {}) =>
    page.evaluate(
      async ([url, headers]) => {
        const response = await fetch(url, { headers: { Authorization: "an ignored token", ...headers }, cache: "no-store" });
        const text = await response.text();
        return { status: response.status, body: text && JSON.parse(text), headers: Object.fromEntries(response.headers) };
      },
      [base + path, headers],
    );

  const product = await call("/1");
  assert.equal(product.status, 200);
  assert.equal(product.body.name, "Camo Onesie");
  for (const header of ["etag", "x-data-version", "x-cache", "server-timing", "x-request-id"]) {
    assert.ok(product.headers[header], `${header} cannot be read: ${JSON.stringify(product.headers)}`);
  }

  const styles = await call("/1/styles");
  assert.equal(styles.status, 200);
  assert.equal(styles.body.product_id, "1");
  assert.equal(styles.body.results[2].sale_price, "100.00");
  assert.deepEqual((await call("/1/related")).body, [2, 3, 8, 7]);
  assert.deepEqual((await call("/?page=2&count=2")).body.map(({ id }) => id), [3, 4]);

  const unchanged = await call("/1", { "If-None-Match": product.headers.etag, "X-Request-ID": "of-this-client" });
  assert.equal(unchanged.status, 304);
  assert.equal(unchanged.headers["x-request-id"], "of-this-client");

  // Headers of tracing libraries and of other clients, for which the browser sends a preflight request.
  for (const headers of [
    { traceparent: "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01", tracestate: "a=b" },
    { "sentry-trace": "0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-1", baggage: "sentry-environment=test" },
    { "Cache-Control": "no-cache", Pragma: "no-cache" },
    { "X-Correlation-ID": "1", "X-Made-Up": "2" },
  ]) {
    assert.equal((await call("/2", headers)).status, 200, JSON.stringify(headers));
  }

  // Existing clients request too many items, and send words as numbers.
  const all = await call("/?count=5000&page=undefined");
  assert.equal(all.status, 200);
  assert.equal(all.headers["x-total-count"], process.env.PRODUCTS);
  assert.equal(all.body.length, Math.min(1000, Number(process.env.PRODUCTS)));
  assert.deepEqual((await call("?count=max")).body, all.body);
  assert.equal((await call("?category=Shoes")).status, 400);

  const missing = await call("/999999");
  assert.equal(missing.status, 404);
  assert.equal(missing.body.title, "Not Found");

  // The library of the original client uses XMLHttpRequest.
  const old = await page.evaluate(
    (url) =>
      new Promise((resolve, reject) => {
        const request = new XMLHttpRequest();
        request.open("GET", url);
        request.setRequestHeader("Authorization", "an ignored token");
        request.setRequestHeader("X-Requested-With", "XMLHttpRequest");
        request.responseType = "json";
        request.onload = () => resolve({ body: request.response, version: request.getResponseHeader("X-Data-Version") });
        request.onerror = () => reject(new Error("the response is not readable"));
        request.send();
      }),
    `${base}/2`,
  );
  assert.equal(old.body.name, "Bright Future Sunglasses");
  assert.equal(old.version, product.headers["x-data-version"]);
});
