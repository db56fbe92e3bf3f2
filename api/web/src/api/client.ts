// The API's client, generated from its description: code that does not fit the description does not compile.
import createClient from "openapi-fetch";
import { tracedFetch } from "./exchanges.ts";
import { type AsText, withTexts } from "./ids.ts";
import type { components, paths } from "./schema.d.ts";

type Schemas = components["schemas"];

export type ProductSummary = AsText<Schemas["ProductSummary"]>;
export type Product = AsText<Schemas["Product"]>;
export type Style = AsText<Schemas["Style"]>;
export type Photo = AsText<Schemas["Photo"]>;
export type SKU = AsText<Schemas["SKU"]>;

/** fetchTexts is tracedFetch with integers in the response as strings. */
async function fetchTexts(request: Request): Promise<Response> {
  const response = await tracedFetch(request);
  if (!response.ok) return response;
  const { status, statusText } = response;
  const headers = new Headers(response.headers);
  headers.delete("Content-Length");
  headers.delete("Content-Encoding");
  return new Response(withTexts(await response.text()), { status, statusText, headers });
}

export const client = createClient<paths>({ fetch: fetchTexts });

/** Refusal is a response with a status of 400 or more. */
export class Refusal extends Error {
  constructor(
    readonly status: number,
    message: string,
  ) {
    super(message);
  }

  /** Whether a retry may succeed. */
  get passing(): boolean {
    return this.status === 429 || this.status >= 500;
  }
}

interface Answer<T> {
  data?: T;
  error?: unknown;
  response: Response;
}

/** read returns the content, with strings for numbers. It throws a Refusal, or the error of fetch if there was no response. */
export async function read<T>(pending: Promise<Answer<T>>): Promise<AsText<T>> {
  const { data, error, response } = await pending;
  if (response.ok && data !== undefined) return data as AsText<T>;
  const { detail, title } = (typeof error === "object" ? error : {}) as Partial<components["schemas"]["Problem"]>;
  throw new Refusal(response.status, detail ?? title ?? response.statusText);
}
