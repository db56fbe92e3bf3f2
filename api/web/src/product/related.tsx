import { useQueries, useQuery } from "@tanstack/react-query";
import { Refusal } from "../api/client.ts";
import { productCard, related as relatedQuery } from "../api/queries.ts";
import { Card, CardSkeleton } from "../card.tsx";
import { othersOf } from "./stock.ts";

/** Related shows the related products that exist. */
export function Related({ id }: { id: string }) {
  const { data, isError, isPending, refetch } = useQuery(relatedQuery(id));
  const others = othersOf(data ?? [], id);
  const cards = useQueries({ queries: others.map(productCard) });
  const there = others.flatMap((other, i) => {
    const { data: product, error } = cards[i]!;
    return error instanceof Refusal && error.status === 404 ? [] : [{ id: other, product }];
  });
  return (
    <section className="related" aria-label="Related products" aria-busy={isPending || cards.some((card) => card.isPending)}>
      <h2>Related products</h2>
      {isError && !data && (
        <p className="note">
          The related products could not be loaded.{" "}
          <button type="button" className="link" onClick={() => void refetch()}>
            Try again
          </button>
        </p>
      )}
      {data && there.length === 0 && <p className="note">This product has no related products.</p>}
      {isPending && <CardSkeletons />}
      {there.length > 0 && (
        <ul className="cards">
          {there.map(({ id: other, product }) => (
            <li key={other}>{product ? <Card product={product} heading="h3" /> : <CardSkeleton />}</li>
          ))}
        </ul>
      )}
    </section>
  );
}

function CardSkeletons() {
  return (
    <ul className="cards">
      {Array.from({ length: 4 }, (_, i) => (
        <li key={`bone ${i}`}>
          <CardSkeleton />
        </li>
      ))}
    </ul>
  );
}
