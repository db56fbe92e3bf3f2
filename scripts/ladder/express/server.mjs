// The catalog's requests as the original service answered them: Express, a pool of pg, one statement for each request, and, with REDIS_URL,
// a cache of responses in Redis. One process; pool and Express have the settings of their documentation.
import { readFileSync } from "node:fs";
import { join } from "node:path";
import express from "express";
import pg from "pg";
import { createClient } from "redis";

const { DATABASE_URL, LISTEN, REDIS_URL, STATEMENTS } = process.env;
const secondsInCache = 3600;
const [defaultCount, mostCount, lastPage] = [5, 100, 2 ** 45];

// PostgreSQL returns the text of the body. To parse it and format it again would be wasted.
pg.types.setTypeParser(pg.types.builtins.JSON, (text) => text);
const pool = new pg.Pool({ connectionString: DATABASE_URL });
const cache = REDIS_URL && (await createClient({ url: REDIS_URL }).on("error", console.error).connect());

/** statement returns a function that executes a prepared statement and returns its only value, or undefined. */
function statement(name) {
  const text = readFileSync(join(STATEMENTS, `${name}.sql`), "utf8");
  return async (...values) => (await pool.query({ name, text, values, rowMode: "array" })).rows[0]?.[0];
}

/** answer sends the body from the cache or from the database, or 404 if there is none. */
async function answer(request, response, read) {
  let body = cache && (await cache.get(request.originalUrl));
  if (body == null) {
    body = await read();
    if (body === undefined) {
      return response.sendStatus(404);
    }
    await cache?.set(request.originalUrl, body, { EX: secondsInCache });
  }
  response.type("json").send(body);
}

const app = express();
for (const [path, name] of [["/products/:id", "product"], ["/products/:id/styles", "styles"], ["/products/:id/related", "related"]]) {
  const read = statement(name);
  app.get(path, (request, response) => {
    const { id } = request.params;
    return /^-?\d{1,18}$/.test(id) ? answer(request, response, () => read(id)) : response.sendStatus(404);
  });
}
const readList = statement("list");
app.get("/products", (request, response) => {
  const { page = 1, count = defaultCount } = request.query;
  if (!(page >= 1 && count >= 1)) {
    return response.sendStatus(400);
  }
  const most = Math.min(count, mostCount);
  return answer(request, response, () => readList(most, (Math.min(page, lastPage) - 1) * most));
});
const [host, port] = LISTEN.split(":");
app.listen(Number(port), host);
