// The API's client, made from its description: what does not fit that description does not compile.
import createClient from "openapi-fetch";
import { tracedFetch } from "./exchanges.ts";
import type { components, paths } from "./schema.d.ts";

export type ProductSummary = components["schemas"]["ProductSummary"];
export type Product = components["schemas"]["Product"];
export type Style = components["schemas"]["Style"];
export type Photo = components["schemas"]["Photo"];
export type SKU = components["schemas"]["SKU"];

export const client = createClient<paths>({ fetch: tracedFetch });

/** Refusal is an answer that is none: any status of 400 or more. */
export class Refusal extends Error {
  constructor(
    readonly status: number,
    message: string,
  ) {
    super(message);
  }

  /** Whether asking again in a moment may help. */
  get passing(): boolean {
    return this.status === 429 || this.status >= 500;
  }
}

interface Answer<T> {
  data?: T;
  error?: unknown;
  response: Response;
}

/** read returns what was asked for, or throws a Refusal; or, if nothing came back, what fetch throws. */
export async function read<T>(asked: Promise<Answer<T>>): Promise<T> {
  const { data, error, response } = await asked;
  if (response.ok && data !== undefined) return data;
  const { detail, title } = (typeof error === "object" ? error : {}) as Partial<components["schemas"]["Problem"]>;
  throw new Refusal(response.status, detail ?? title ?? response.statusText);
}
