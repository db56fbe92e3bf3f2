import { expect, test } from "vitest";
import { isID, withTexts } from "./ids.ts";

test("whole numbers keep all their digits", () => {
  const answer =
    '[{"id":9007199254740993,"name":"No. 9007199254740993, \\"12\\"","price":"10.00","quantity":-3,"ratio":0.5,"none":null,"default?":true},9223372036854775807,0]';
  expect(JSON.parse(withTexts(answer))).toEqual([
    {
      id: "9007199254740993",
      name: 'No. 9007199254740993, "12"',
      price: "10.00",
      quantity: "-3",
      ratio: 0.5,
      none: null,
      "default?": true,
    },
    "9223372036854775807",
    "0",
  ]);
});

test("ids", () => {
  for (const id of ["1", "9007199254740993", "9223372036854775807"]) expect(isID(id), id).toBe(true);
  for (const text of ["", "0", "01", "-1", "1.5", "1e3", "abc", "1x", "9223372036854775808", "10000000000000000000", "١"])
    expect(isID(text), text).toBe(false);
});
