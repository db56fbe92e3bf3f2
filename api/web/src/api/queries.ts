// The queries of the storefront. A query on screen is repeated every few seconds and when the window gets the focus, so that changed prices
// appear without a reload. Most repetitions result in a 304.
import { focusManager, QueryClient, queryOptions } from "@tanstack/react-query";
import { client, read, Refusal } from "./client.ts";

const often = 5_000;
const seldom = 30_000;

/** Products on one page of the catalog. */
export const pageSize = 24;

export const queryClient = new QueryClient({
  defaultOptions: {
    queries: {
      // Parts of a page that need the same data share a request.
      staleTime: 2_000,
      gcTime: 10 * 60_000,
      refetchInterval: often,
      refetchOnWindowFocus: "always",
      // The host may be reachable even if the browser reports that it is offline.
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

// The default listens only to visibilitychange. A window beside another one is visible, and is used when it gets the focus.
focusManager.setEventListener((handle) => {
  const listen = () => handle();
  window.addEventListener("focus", listen);
  document.addEventListener("visibilitychange", listen);
  return () => {
    window.removeEventListener("focus", listen);
    document.removeEventListener("visibilitychange", listen);
  };
});

// The description declares ids as numbers. In an address both forms are equal.
const ofProduct = (id: string) => ({ params: { path: { product_id: id as unknown as number } } });

export const product = (id: string) =>
  queryOptions({
    queryKey: ["product", id],
    queryFn: ({ signal }) => read(client.GET("/products/{product_id}", { ...ofProduct(id), signal })),
  });

/** productCard is product with a longer interval, for cards. */
export const productCard = (id: string) =>
  queryOptions({ ...product(id), refetchInterval: seldom, staleTime: seldom, refetchOnWindowFocus: true });

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
