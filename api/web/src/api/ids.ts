// Ids are 64-bit integers, and a JavaScript number holds 53 bits: 9007199254740993 would become 9007199254740992, another product. So every
// integer of a response is a string here. JSON.parse cannot do this in all browsers, because its reviver gets the rounded number.
import { parse } from "lossless-json";

/** AsText is T with a string in place of each number. */
export type AsText<T> = T extends number ? string : T extends object ? { [K in keyof T]: AsText<T[K]> } : T;

/** withTexts returns JSON in which each integer is a string of its digits. */
export function withTexts(json: string): string {
  return JSON.stringify(parse(json, undefined, (digits) => (/^-?\d+$/.test(digits) ? digits : Number(digits))));
}

const largest = "9223372036854775807";

/** isID reports whether text can be an id: a positive 64-bit integer without leading zeros. */
export function isID(text: string): boolean {
  return /^[1-9]\d{0,18}$/.test(text) && (text.length < largest.length || text <= largest);
}
