import { expect, test } from "vitest";
import { formatPrice, multiplyPrice } from "./price.ts";

test.each([
  ["140.00", "$140.00"],
  ["0.00", "$0.00"],
  ["1250.50", "$1,250.50"],
  ["500000000.00", "$500,000,000.00"],
  ["9007199254740993.01", "$9,007,199,254,740,993.01"],
  ["-5.00", "-$5.00"],
  ["on request", "on request"],
])("formatPrice(%s)", (price, want) => expect(formatPrice(price)).toBe(want));

test.each([
  ["140.00", 2, "280.00"],
  ["0.05", 1, "0.05"],
  ["0.05", 15, "0.75"],
  ["0.00", 3, "0.00"],
  ["-0.05", 2, "-0.10"],
  ["9007199254740993.01", 2, "18014398509481986.02"],
])("multiplyPrice(%s, %d)", (price, quantity, want) => expect(multiplyPrice(price, quantity)).toBe(want));
