// A generated catalog for development, in the API's form, so that the storefront can be developed without a database. Problems have no
// detail, like those of the gateway.
//
// Products 1 to 7 are special cases; the others are alike. Addresses under /-/dev/ simulate failures and changes:
//
//   /-/dev/down    every request gets a 503, until /-/dev/up
//   /-/dev/slow    every answer takes two seconds, until /-/dev/fast
//   /-/dev/sale    a new version, in which product 1 costs less
import { createHash } from "node:crypto";
import { type IncomingMessage, type ServerResponse, STATUS_CODES } from "node:http";
import { readFileSync } from "node:fs";
import type { Plugin } from "vite";
import type { components } from "../src/api/schema.d.ts";

type Schemas = components["schemas"];

const total = 1234;
const description = new URL("../../openapi/openapi.yaml", import.meta.url);

const categories = ["Jackets", "Accessories", "Pants", "Kicks", "Dress Shoes", "Slacks"];
const adjectives = ["Quiet", "Camo", "Heirloom", "Blues", "Morning", "Bright", "Alpine", "Paper", "Slacker's", "Long"];
const nouns = ["Onesie", "Suede Shoes", "Joggers", "Pullover", "Sunglasses", "Trousers", "Coat", "Kicks", "Scarf", "Field Jacket"];
const slogans = [
  "Blend in to your crowd",
  "You've got to wear shades",
  "Make yourself a dress",
  "The softest thing you will wear all week",
  "Whatever a morning job is, you're ready for it",
];
const colors = [
  "Forest Green & Black",
  "Desert Brown & Tan",
  "Ocean Blue & Grey",
  "Digital Red & Black",
  "Sky Blue & White",
  "Dark Grey & Black",
  "Chalk",
];

let version = 7;
let discount = false;
let down = false;
let slow = false;

function pick<T>(from: readonly T[], number: number): T {
  return from[number % from.length]!;
}

function summary(id: number): Schemas["ProductSummary"] {
  const special: Record<number, string> = {
    1: "Camo Onesie",
    2: "Bright Future Sunglasses",
    3: "A Product Without Styles",
    4: "Nothing But Broken Photos",
    5: "One Size, Sold Out",
    6: "An Extraordinarily Long Name for a Fundamentally Simple Pair of Socks",
  };
  return {
    id,
    name: special[id] ?? `${pick(adjectives, id * 7)} ${pick(nouns, id * 3 + (id >> 3))}`,
    slogan: pick(slogans, id * 3),
    description:
      "The So Fatigues will wake you up and fit you in. This high energy camo will have you blending in to even the wildest surroundings, whether you are going out or staying in.",
    category: pick(categories, id - 1),
    default_price: `${40 + ((id * 37) % 400)}.00`,
  };
}

function product(id: number): Schemas["Product"] {
  const features = [
    { feature: "Fabric", value: "Canvas" },
    { feature: "Buttons", value: "Brass" },
    { feature: "UV Protection", value: null },
    { feature: "Sole", value: "Rubber, recycled" },
  ];
  return { ...summary(id), features: id === 3 ? [] : features.slice(0, 2 + (id % 3)) };
}

function photoURL(id: number, style: number, photo: number): string {
  return id === 4 || (photo === 3 && style % 2)
    ? `https://photos.invalid/${id}-${style}-${photo}.jpg`
    : `/-/dev/photo/${(id * 53 + style * 97) % 360}/${photo}.svg`;
}

function stylesOf(id: number): Schemas["Styles"] {
  const results: Schemas["Style"][] = [];
  for (let i = 0; i < (id === 3 ? 0 : id === 6 ? 16 : 3 + (id % 4)); i++) {
    const base = 40 + ((id * 37) % 400);
    const bare = id === 2 && i > 0;
    const photos = Array.from({ length: id === 6 ? 14 : 6 }, (_, n) => ({ thumbnail_url: photoURL(id, i, n), url: photoURL(id, i, n) }));
    const sizes = id === 5 ? ["One Size"] : ["XS", "S", "M", "L", "XL", "XL", "XXL"];
    results.push({
      style_id: id * 10 + i,
      name: pick(colors, i),
      original_price: `${base}.00`,
      sale_price: i === 2 ? `${Math.round(base * 0.7)}.00` : discount && id === 1 && i === 0 ? "19.99" : null,
      "default?": i === 0,
      photos: bare ? [{ thumbnail_url: null, url: null }] : photos,
      skus: bare
        ? { null: { quantity: null, size: null } }
        : Object.fromEntries(
            sizes.map((size, n) => [String(id * 100 + i * 10 + n), { quantity: id === 5 ? 0 : (n * 7 + i * 3) % 20, size }]),
          ),
    });
  }
  return { product_id: String(id), results };
}

function relatedTo(id: number): Schemas["Related"] {
  return id === 3 ? [] : id === 4 ? [4, 5, 5, 999999999] : [2, 3, 8, 7, id + 1, id + 9].filter((other) => other !== id);
}

function photo(hue: number, number: number): string {
  const turn = (hue + number * 9) % 360;
  return `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 400 500"><rect width="400" height="500" fill="hsl(${turn} 22% ${82 - number * 3}%)"/><path d="M120 130q80 60 160 0l60 70-45 40-10-15v200H115V225l-10 15-45-40z" fill="hsl(${turn} 38% 36%)"/><path d="M160 150q40 25 80 0" fill="none" stroke="hsl(${turn} 40% 24%)" stroke-width="7"/></svg>`;
}

/** answer returns the body of an address, or the status of its problem. */
function answer(path: string, query: URLSearchParams): unknown {
  if (path === "/products") {
    const page = Number(query.get("page") ?? 1);
    const count = Math.min(1000, Number(query.get("count") ?? 5));
    if (!(page >= 1) || !(count >= 1)) return 400;
    const skip = (page - 1) * count;
    return Array.from({ length: Math.max(0, Math.min(count, total - skip)) }, (_, i) => summary(skip + i + 1));
  }
  const [, text, document] = /^\/products\/([^/]+)(?:\/(styles|related))?$/.exec(path) ?? [];
  if (text === undefined) return 404;
  if (!/^[1-9]\d*$/.test(text)) return 400;
  const id = Number(text);
  if (id > total) return 404;
  return document === "styles" ? stylesOf(id) : document === "related" ? relatedTo(id) : product(id);
}

function command(name: string): boolean {
  if (name === "down" || name === "up") down = name === "down";
  else if (name === "slow" || name === "fast") slow = name === "slow";
  else if (name === "sale") [discount, version] = [!discount, version + 1];
  else return false;
  return true;
}

async function serve(request: IncomingMessage, response: ServerResponse, next: () => void): Promise<void> {
  const { pathname, searchParams } = new URL(request.url ?? "/", "http://localhost");
  if (pathname === "/openapi.yaml") {
    response.setHeader("Content-Type", "application/yaml");
    response.end(readFileSync(description));
    return;
  }
  const [, hue, number] = /^\/-\/dev\/photo\/(\d+)\/(\d+)\.svg$/.exec(pathname) ?? [];
  if (hue && number) {
    response.setHeader("Content-Type", "image/svg+xml");
    response.setHeader("Cache-Control", "max-age=3600");
    response.end(photo(Number(hue), Number(number)));
    return;
  }
  if (pathname.startsWith("/-/dev/") && command(pathname.slice("/-/dev/".length))) {
    response.end("done\n");
    return;
  }
  if (pathname !== "/products" && !pathname.startsWith("/products/")) {
    next();
    return;
  }
  if (slow) await new Promise((resolve) => setTimeout(resolve, 2000));
  response.setHeader("X-Cache", down ? "MISS" : "HIT");
  response.setHeader("Server-Timing", down ? "cache;desc=MISS" : "cache;desc=HIT");
  const body = down ? 503 : answer(pathname, searchParams);
  if (typeof body === "number") {
    response.statusCode = body;
    response.setHeader("Content-Type", "application/problem+json");
    response.setHeader("Cache-Control", "no-store");
    const problem: Schemas["Problem"] = { type: "about:blank", title: STATUS_CODES[body] ?? "Error", status: body };
    response.end(JSON.stringify(problem));
    return;
  }
  const text = JSON.stringify(body);
  const etag = `"${createHash("sha256").update(text).digest("hex").slice(0, 16)}"`;
  response.setHeader("ETag", etag);
  response.setHeader("Cache-Control", "public, max-age=5, s-maxage=10, stale-while-revalidate=30");
  response.setHeader("X-Data-Version", String(version));
  if (request.headers["if-none-match"] === etag) {
    response.statusCode = 304;
    response.end();
    return;
  }
  response.setHeader("Content-Type", "application/json; charset=utf-8");
  response.end(text);
}

/** madeUpCatalog answers the API's addresses in `vite` and in `vite preview`. */
export function madeUpCatalog(): Plugin {
  const use = (middlewares: { use: (handler: (request: IncomingMessage, response: ServerResponse, next: () => void) => void) => void }) => {
    middlewares.use((request, response, next) => void serve(request, response, next));
  };
  return {
    name: "made-up-catalog",
    configureServer: (server) => use(server.middlewares),
    configurePreviewServer: (server) => use(server.middlewares),
  };
}
