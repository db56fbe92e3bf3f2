import { expect, test } from "vitest";
import type { Style } from "../api/client.ts";
import { othersOf, quantitiesOf, sizesOf, styleToShow } from "./stock.ts";

function style(id: string, skus: Style["skus"], isDefault = false): Style {
  return {
    style_id: id,
    name: `Style ${id}`,
    original_price: "140.00",
    sale_price: null,
    "default?": isDefault,
    photos: [{ thumbnail_url: null, url: null }],
    skus,
  };
}

test("sizes that repeat are one, in the order of the SKUs", () => {
  const skus = { "31": { quantity: "8", size: "XL" }, "32": { quantity: "2", size: "XS" }, "33": { quantity: "4", size: "XL" } };
  expect(sizesOf(style("1", skus))).toEqual([
    { name: "XL", quantity: 12 },
    { name: "XS", quantity: 2 },
  ]);
});

test("no SKUs are no sizes", () => expect(sizesOf(style("1", { null: { quantity: null, size: null } }))).toEqual([]));

test("a size that is sold out, unknown or negative cannot be chosen", () => {
  const sizes = sizesOf(
    style("1", { "1": { quantity: "0", size: "S" }, "2": { quantity: null, size: "M" }, "3": { quantity: "-3", size: "L" } }),
  );
  expect(sizes.map((size) => size.quantity)).toEqual([0, 0, 0]);
  expect(sizes.flatMap(quantitiesOf)).toEqual([]);
});

test("a SKU of less than nothing takes nothing from another", () => {
  expect(sizesOf(style("1", { "1": { quantity: "-3", size: "S" }, "2": { quantity: "5", size: "S" } }))[0]?.quantity).toBe(5);
});

test("quantities", () => {
  expect(quantitiesOf({ name: "S", quantity: 3 })).toEqual([1, 2, 3]);
  expect(quantitiesOf({ name: "S", quantity: 90 })).toHaveLength(15);
});

test("the style to show", () => {
  const styles = [style("1", {}), style("2", {}, true), style("3", {}, true)];
  expect(styleToShow(styles, "3")?.style_id).toBe("3");
  expect(styleToShow(styles)?.style_id).toBe("2");
  expect(styleToShow(styles, "99")?.style_id).toBe("2");
  expect(styleToShow([style("7", {})])?.style_id).toBe("7");
  expect(styleToShow([])).toBeUndefined();
});

test("others", () =>
  expect(othersOf(["6", "4", "6", "5", "4", "9007199254740993", "9007199254740992"], "4")).toEqual([
    "6",
    "5",
    "9007199254740993",
    "9007199254740992",
  ]));
