// Ids are whole numbers of 64 bits, and a number of the language holds 53: 9007199254740993 would become 9007199254740992, another
// product. So every whole number of an answer is a text here. What lossless-json does for that, JSON.parse cannot do in all browsers: its
// reviver sees a number when the digits are lost.
import { parse } from "lossless-json";

/** AsText is T as it is here: a string in the place of each number. */
export type AsText<T> = T extends number ? string : T extends object ? { [K in keyof T]: AsText<T[K]> } : T;

/** withTexts returns JSON in which each whole number is a string of its digits. */
export function withTexts(json: string): string {
  return JSON.stringify(parse(json, undefined, (digits) => (/^-?\d+$/.test(digits) ? digits : Number(digits))));
}

const largest = "9223372036854775807";

/** isID reports whether a text can be an id: a positive number of 64 bits without leading zeros. */
export function isID(text: string): boolean {
  return /^[1-9]\d{0,18}$/.test(text) && (text.length < largest.length || text <= largest);
}
