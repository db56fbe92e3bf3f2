// What can be asked, and how often. A query that is on screen asks again every few seconds and when the window gets the focus, so
// that a price that changes is seen without a reload; most of these end in a 304.
import { focusManager, QueryClient, queryOptions } from "@tanstack/react-query";
import { client, read, Refusal } from "./client.ts";

const often = 5_000;
const seldom = 30_000;

/** Products on one page of the catalog. */
export const pageSize = 24;

export const queryClient = new QueryClient({
  defaultOptions: {
    queries: {
      // What came just now is not asked for again when another part of the page wants it, too.
      staleTime: 2_000,
      gcTime: 10 * 60_000,
      refetchInterval: often,
      refetchOnWindowFocus: "always",
      // A browser that believes it is offline may reach this host nevertheless.
      networkMode: "always",
      retry: (failures, error) => failures < 2 && !(error instanceof Refusal && !error.passing),
      retryDelay: (failures) => 500 * 2 ** failures,
    },
  },
});

export const catalogPage = (page: number) =>
  queryOptions({
    queryKey: ["page", page],
    queryFn: ({ signal }) => read(client.GET("/products", { params: { query: { page, count: pageSize } }, signal })),
  });

// By itself it looks only at whether the page is visible. A window beside another is, and is looked at when it gets the focus.
focusManager.setEventListener((handle) => {
  const listen = () => handle();
  window.addEventListener("focus", listen);
  document.addEventListener("visibilitychange", listen);
  return () => {
    window.removeEventListener("focus", listen);
    document.removeEventListener("visibilitychange", listen);
  };
});

// The description calls an id a number. In an address it is its digits either way.
const ofProduct = (id: string) => ({ params: { path: { product_id: id as unknown as number } } });

export const product = (id: string) =>
  queryOptions({
    queryKey: ["product", id],
    queryFn: ({ signal }) => read(client.GET("/products/{product_id}", { ...ofProduct(id), signal })),
  });

/** The same as product, for a card among others. */
export const productCard = (id: string) => queryOptions({ ...product(id), refetchInterval: seldom, staleTime: seldom, refetchOnWindowFocus: true });

export const styles = (id: string) =>
  queryOptions({
    queryKey: ["styles", id],
    queryFn: ({ signal }) => read(client.GET("/products/{product_id}/styles", { ...ofProduct(id), signal })),
  });

export const related = (id: string) =>
  queryOptions({
    queryKey: ["related", id],
    queryFn: ({ signal }) => read(client.GET("/products/{product_id}/related", { ...ofProduct(id), signal })),
  });
