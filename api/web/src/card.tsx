import { useQueryClient } from "@tanstack/react-query";
import { Link } from "wouter";
import type { ProductSummary } from "./api/client.ts";
import { product as productQuery, styles as stylesQuery } from "./api/queries.ts";
import { formatPrice } from "./price.ts";

/** Card shows a product in a list. */
export function Card({ product, heading: Heading = "h2" }: { product: ProductSummary; heading?: "h2" | "h3" }) {
  const client = useQueryClient();
  // A user who points at the card is likely to follow it.
  const prepare = () => {
    void client.prefetchQuery(productQuery(product.id));
    void client.prefetchQuery(stylesQuery(product.id));
  };
  return (
    <article className="card" onPointerEnter={prepare}>
      <p className="eyebrow">
        <span>{product.category}</span>
        <span>{`No. ${product.id}`}</span>
      </p>
      <Heading>
        <Link href={`/item/${product.id}`}>{product.name}</Link>
      </Heading>
      <p className="slogan">{product.slogan}</p>
      <p className="price">{formatPrice(product.default_price)}</p>
    </article>
  );
}

/** CardSkeleton is a placeholder of the size of a Card. */
export function CardSkeleton() {
  return (
    <div className="card skeleton" aria-hidden="true">
      <p className="eyebrow">
        <i style={{ width: "5em" }} />
      </p>
      <h2>
        <i style={{ width: "80%" }} />
      </h2>
      <p className="slogan">
        <i style={{ width: "95%" }} />
      </p>
      <p className="price">
        <i style={{ width: "4em" }} />
      </p>
    </div>
  );
}
