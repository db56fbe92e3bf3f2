import { describe, expect, test } from "vitest";
import { findLastPage } from "./lastPage.ts";

const size = 24;

function catalogOf(products: number) {
  const requested: number[] = [];
  const countOn = async (page: number) => {
    requested.push(page);
    return Math.min(size, Math.max(0, products - (page - 1) * size));
  };
  return { requested, countOn };
}

describe("findLastPage", () => {
  for (const products of [0, 1, 23, 24, 25, 47, 48, 49, 96, 97, 1000, 24 * 64, 24 * 64 + 1, 1_000_011]) {
    const want = Math.max(1, Math.ceil(products / size));
    for (const from of [1, 2, 3, want - 1, want, want + 1, 50_000, 1e9]) {
      test(`of ${products} products, from page ${from}`, async () => {
        const { requested, countOn } = catalogOf(products);
        expect(await findLastPage(countOn, size, from)).toBe(want);
        expect(Math.min(...requested)).toBeGreaterThan(0);
        expect(new Set(requested).size).toBe(requested.length);
        expect(requested.length).toBeLessThan(50);
      });
    }
  }

  test("a million products cost few requests", async () => {
    const { requested, countOn } = catalogOf(1_000_011);
    await findLastPage(countOn, size);
    expect(requested.length).toBeLessThan(30);
  });

  test("a page that is not full ends it", async () => {
    const { requested, countOn } = catalogOf(24 * 64 + 1);
    expect(await findLastPage(countOn, size, 65)).toBe(65);
    expect(requested).toEqual([65]);
  });

  test("a right guess costs two requests", async () => {
    const { requested, countOn } = catalogOf(24 * 64);
    expect(await findLastPage(countOn, size, 64)).toBe(64);
    expect(requested).toEqual([64, 65]);
  });

  test("an answer that does not come ends it", async () => {
    await expect(findLastPage(() => Promise.reject(new Error("away")), size)).rejects.toThrow("away");
  });
});
