import { useQueries, useQuery } from "@tanstack/react-query";
import { Refusal } from "../api/client.ts";
import { productCard, related as relatedQuery } from "../api/queries.ts";
import { Card, CardSkeleton } from "../card.tsx";
import { othersOf } from "./stock.ts";

/** Related shows what is related to a product. A product that is related and does not exist is left out. */
export function Related({ id }: { id: string }) {
  const { data, isError, isPending, refetch } = useQuery(relatedQuery(id));
  const others = othersOf(data ?? [], id);
  const cards = useQueries({ queries: others.map(productCard) });
  const there = cards.filter(({ error }) => !(error instanceof Refusal && error.status === 404));
  return (
    <section className="related" aria-label="Related products" aria-busy={isPending || cards.some((card) => card.isPending)}>
      <h2>Related products</h2>
      {isError && !data ? (
        <p className="note">
          The related products could not be loaded.{" "}
          <button type="button" className="link" onClick={() => void refetch()}>
            Try again
          </button>
        </p>
      ) : !isPending && there.length === 0 ? (
        <p className="note">This product has no related products.</p>
      ) : (
        <ul className="cards">
          {isPending
            ? Array.from({ length: 4 }, (_, i) => (
                <li key={`bone ${i}`}>
                  <CardSkeleton />
                </li>
              ))
            : cards.map(({ data: product, error }, i) =>
                error instanceof Refusal && error.status === 404 ? null : (
                  <li key={others[i]}>{product ? <Card product={product} heading="h3" /> : <CardSkeleton />}</li>
                ),
              )}
        </ul>
      )}
    </section>
  );
}
