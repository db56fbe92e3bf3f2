// A log of requests to the API, for the developer panel and for the notice that the API is unavailable.
import { useSyncExternalStore } from "react";

/** Exchange is a request and its response. */
export interface Exchange {
  readonly number: number;
  readonly path: string;
  /** Time of sending, on performance.now's clock. */
  readonly start: number;
  /** Milliseconds to the end of the body, once it has arrived. */
  readonly duration?: number;
  /** The status on the wire (304 where fetch reports 200), or undefined without a response. */
  readonly status?: number;
  /** Bytes on the wire, including about 300 for the headers, as the browser estimates. */
  readonly bytes?: number;
  /** X-Cache: the gateway's cache status. */
  readonly cache?: string;
  /** X-Data-Version. */
  readonly version?: string;
  /** Server-Timing. */
  readonly timing?: string;
}

/** State is the log, newest first. It is immutable. */
export interface State {
  readonly exchanges: readonly Exchange[];
  readonly requests: number;
  readonly bytes: number;
  /** The highest X-Data-Version so far. */
  readonly version?: string;
  /** Whether the last request failed: no response, a 429 or a 5xx. */
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

/** useExchanges returns the value of selector, and renders again when it changes. */
export function useExchanges<T>(selector: (state: State) => T): T {
  return useSyncExternalStore(subscribe, () => selector(state));
}

function subscribe(listener: () => void): () => void {
  listeners.add(listener);
  return () => listeners.delete(listener);
}

// Longer than the gateway's timeouts for all instances together.
const timeout = 15_000;

/**
 * tracedFetch is fetch with three additions: the browser always revalidates its copy, the request has a timeout, and it is recorded in the
 * log.
 */
export async function tracedFetch(request: Request): Promise<Response> {
  const { pathname, search } = new URL(request.url);
  const number = state.requests + 1;
  const exchange: Exchange = { number, path: pathname + search, start: performance.now() };
  replace({ ...state, requests: number, exchanges: [exchange, ...state.exchanges].slice(0, kept) });
  let response: Response;
  try {
    response = await fetch(request, { cache: "no-cache", signal: AbortSignal.any([request.signal, AbortSignal.timeout(timeout)]) });
  } catch (error) {
    // The page itself aborted the request, which does not mean that the API is unavailable.
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
  change(
    number,
    defined({
      status: response.status,
      duration: performance.now() - exchange.start,
      cache: header("X-Cache"),
      version,
      timing: header("Server-Timing"),
    }),
  );
  replace({ ...state, ...defined({ version: newer(state.version, version) }), away: response.status === 429 || response.status >= 500 });
  return response;
}

// newer returns the higher version. A cached response may have an older one.
function newer(one: string | undefined, other: string | undefined): string | undefined {
  return Number(other ?? 0) > Number(one ?? 0) ? other : one;
}

function defined<T extends object>(properties: T): { [K in keyof T]?: NonNullable<T[K]> } {
  return Object.fromEntries(Object.entries(properties).filter(([, value]) => value !== undefined)) as {
    [K in keyof T]?: NonNullable<T[K]>;
  };
}

// The browser reports the duration and the bytes on the wire after the body has arrived.
if (typeof PerformanceObserver !== "undefined") {
  new PerformanceObserver((list) => {
    for (const entry of list.getEntries() as PerformanceResourceTiming[]) {
      if (entry.initiatorType !== "fetch") continue;
      const { pathname, search } = new URL(entry.name);
      const exchange = state.exchanges.findLast(
        (e) => e.bytes === undefined && e.path === pathname + search && e.start <= entry.startTime + 1,
      );
      if (!exchange) continue;
      // Only headers came over the wire, and there is a body: a 304.
      const confirmed = exchange.status === 200 && entry.encodedBodySize > 0 && entry.transferSize > 0 && entry.transferSize <= 300;
      change(exchange.number, { bytes: entry.transferSize, duration: entry.duration, ...(confirmed && { status: 304 }) });
      replace({ ...state, bytes: state.bytes + entry.transferSize });
    }
  }).observe({ type: "resource" });
}
