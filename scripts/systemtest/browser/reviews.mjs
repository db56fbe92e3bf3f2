// A page of an existing client for reviews, questions and answers, from another origin. It knows the original service's addresses only.
import assert from "node:assert/strict";
import { createServer } from "node:http";
import { test } from "node:test";
import { audited, browser, gateway } from "./browser.mjs";

const client = `<!doctype html>
<html lang="en">
<head><meta charset="utf-8"><title>Reviews</title>
<style>
  body { font: 16px/1.5 system-ui, sans-serif; max-width: 44rem; margin: 2rem auto; padding: 0 1rem; }
  article { border-top: 1px solid #ccc; padding: .5rem 0; } h2, h3 { margin: .5rem 0; } ul { padding-left: 1.2rem; } small { color: #555; }
</style></head>
<body><main><h1>Ratings and reviews</h1>
<section id="meta"><h2>Characteristics</h2></section><section id="reviews"><h2>Reviews</h2></section><section id="questions"><h2>Questions</h2></section>
</main>
<script type="module">
  const base = new URLSearchParams(location.search).get("base");
  const load = async (address) => {
    const response = await fetch(base + address, { headers: { Authorization: "an ignored token" } });
    if (!response.ok) throw new Error(address + ": " + response.status);
    return response.json();
  };
  const add = (parent, tag, text) => Object.assign(parent.appendChild(document.createElement(tag)), { textContent: text });
  const day = (time) => new Date(time).toISOString().slice(0, 10);
  const [meta, reviews, questions] = await Promise.all([
    load("/reviews/meta?product_id=1"), load("/reviews/?product_id=1&sort=relevant&count=100"), load("/qa/questions/?product_id=1&count=100"),
  ]);
  const list = add(document.querySelector("#meta"), "ul", "");
  for (const [name, { value }] of Object.entries(meta.characteristics)) add(list, "li", name + ": " + Number(value).toFixed(1) + " of 5");
  const counts = Object.values(meta.ratings).map(Number);
  add(document.querySelector("#meta"), "p", counts.reduce((a, b) => a + b, 0) + " ratings, recommended by " + (meta.recommended.true ?? 0));
  for (const { summary, body, rating, reviewer_name, date, response, photos } of reviews.results) {
    const article = add(document.querySelector("#reviews"), "article", "");
    add(article, "h3", "\\u2605".repeat(rating) + " " + summary);
    add(article, "p", body);
    if (response) add(article, "p", "Response: " + response);
    add(article, "small", reviewer_name + ", " + day(date) + (photos.length ? ", " + photos.length + " photos" : ""));
  }
  for (const { question_body, answers } of questions.results) {
    const article = add(document.querySelector("#questions"), "article", "");
    add(article, "h3", "Q: " + question_body);
    for (const { body, answerer_name, helpfulness } of Object.values(answers)) {
      add(article, "p", "A: " + body);
      add(article, "small", answerer_name + ", helpful to " + helpfulness);
    }
  }
  document.title = "Reviews of product " + meta.product_id;
</script></body></html>`;

test("a page of reviews, questions and answers", async (t) => {
  const elsewhere = createServer((_, response) => response.setHeader("Content-Type", "text/html").end(client));
  await new Promise((resolve) => elsewhere.listen(0, "127.0.0.1", resolve));
  t.after(() => elsewhere.close());
  const context = await browser.newContext({ viewport: { width: 1000, height: 1100 } });
  t.after(() => context.close());
  for (const prefix of ["", "/api/fec2/hr-rfp"]) {
    const page = await context.newPage();
    const wrong = [];
    page.on("pageerror", (error) => wrong.push(String(error)));
    await page.goto(`http://127.0.0.1:${elsewhere.address().port}/?base=${encodeURIComponent(gateway + prefix)}`);
    await page.waitForFunction(() => document.title === "Reviews of product 1").catch(() => {});
    assert.deepEqual(wrong, []);
    const articles = await page.locator("article").allTextContents();
    assert.equal(articles.length, 5);
    assert.match(articles[0], /★★★★ Good.*Response: Thank you!bo, 2021-01-09, 2 photos/s);
    assert.doesNotMatch(articles[1], /Response/);
    assert.match(articles[3], /Which colou?r is it really\?.*Sand\..*helpful to 7.*Like wet sand\./s);
    assert.deepEqual(await page.locator("li").allTextContents(), ["Size: 3.3 of 5", "Quality: 4.7 of 5"]);
    await page.getByText("3 ratings, recommended by 2").waitFor();
    assert.equal(await page.getByText("Once was enough.").count(), 0, "a reported review is shown");
    if (prefix === "") await audited(page, "reviews");
  }
});
