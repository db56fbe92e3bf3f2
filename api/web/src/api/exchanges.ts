// What the page asked the API for and what came back, for the developer panel and for the notice that the API is away.
import { useSyncExternalStore } from "react";

/** One request and what became of it. */
export interface Exchange {
  readonly number: number;
  readonly path: string;
  /** When it was sent, on performance.now's clock. */
  readonly start: number;
  /** Milliseconds to the end of the body, once it is there. */
  readonly duration?: number;
  /** The status that came over the wire (304 where fetch says 200), or undefined if nothing came. */
  readonly status?: number;
  /** Bytes over the wire, with some 300 for the headers, as the browser reckons. */
  readonly bytes?: number;
  /** X-Cache: what NGINX did. */
  readonly cache?: string;
  /** X-Data-Version. */
  readonly version?: string;
  /** Server-Timing. */
  readonly timing?: string;
}

/** State is everything that is known, newest first. It is replaced and never changed. */
export interface State {
  readonly exchanges: readonly Exchange[];
  readonly requests: number;
  readonly bytes: number;
  /** The newest X-Data-Version that was seen: versions only grow. */
  readonly version?: string;
  /** Whether the last request came to nothing: no answer, or one that says "not now". */
  readonly away: boolean;
}

const kept = 100;

let state: State = { exchanges: [], requests: 0, bytes: 0, away: false };
const listeners = new Set<() => void>();

function replace(next: State): void {
  state = next;
  for (const listener of listeners) listener();
}

function change(number: number, news: Partial<Exchange>): void {
  replace({ ...state, exchanges: state.exchanges.map((e) => (e.number === number ? { ...e, ...news } : e)) });
}

/** useExchanges returns what selector makes of the state, and renders again when that is another value. */
export function useExchanges<T>(selector: (state: State) => T): T {
  return useSyncExternalStore(subscribe, () => selector(state));
}

function subscribe(listener: () => void): () => void {
  listeners.add(listener);
  return () => listeners.delete(listener);
}

// Longer than NGINX takes to give up on every instance of the API.
const patience = 15_000;

/**
 * tracedFetch is fetch, but that the browser asks whether its copy is still right before it uses it (a 304 costs little), that it
 * does not wait for ever, and that it is known here.
 */
export async function tracedFetch(request: Request): Promise<Response> {
  const { pathname, search } = new URL(request.url);
  const number = state.requests + 1;
  const exchange: Exchange = { number, path: pathname + search, start: performance.now() };
  replace({ ...state, requests: number, exchanges: [exchange, ...state.exchanges].slice(0, kept) });
  let response: Response;
  try {
    response = await fetch(request, { cache: "no-cache", signal: AbortSignal.any([request.signal, AbortSignal.timeout(patience)]) });
  } catch (error) {
    // A request that the page itself gave up says nothing about the API.
    if (request.signal.aborted) {
      replace({ ...state, exchanges: state.exchanges.filter((e) => e.number !== number) });
    } else {
      change(number, { duration: performance.now() - exchange.start });
      replace({ ...state, away: true });
    }
    throw error;
  }
  const header = (name: string) => response.headers.get(name) ?? undefined;
  const version = header("X-Data-Version");
  change(number, defined({
    status: response.status,
    duration: performance.now() - exchange.start,
    cache: header("X-Cache"),
    version,
    timing: header("Server-Timing"),
  }));
  replace({ ...state, ...defined({ version: newer(state.version, version) }), away: response.status === 429 || response.status >= 500 });
  return response;
}

// An answer out of a cache has the version that made it, and that may be an old one.
function newer(one: string | undefined, other: string | undefined): string | undefined {
  return Number(other ?? 0) > Number(one ?? 0) ? other : one;
}

function defined<T extends object>(properties: T): { [K in keyof T]?: NonNullable<T[K]> } {
  return Object.fromEntries(Object.entries(properties).filter(([, value]) => value !== undefined)) as { [K in keyof T]?: NonNullable<T[K]> };
}

// The browser knows best how long it took and what came over the wire, and says so when the body has arrived.
if (typeof PerformanceObserver !== "undefined") {
  new PerformanceObserver((list) => {
    for (const entry of list.getEntries() as PerformanceResourceTiming[]) {
      if (entry.initiatorType !== "fetch") continue;
      const { pathname, search } = new URL(entry.name);
      const exchange = state.exchanges.findLast((e) => e.bytes === undefined && e.path === pathname + search && e.start <= entry.startTime + 1);
      if (!exchange) continue;
      // A body, and nothing but headers came over the wire: a 304.
      const confirmed = exchange.status === 200 && entry.encodedBodySize > 0 && entry.transferSize > 0 && entry.transferSize <= 300;
      change(exchange.number, { bytes: entry.transferSize, duration: entry.duration, ...(confirmed && { status: 304 }) });
      replace({ ...state, bytes: state.bytes + entry.transferSize });
    }
  }).observe({ type: "resource" });
}
