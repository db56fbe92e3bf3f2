import { useQuery, useQueryClient } from "@tanstack/react-query";
import { useEffect, useRef, useState } from "react";
import { Link, useSearchParams } from "wouter";
import { Refusal, type Product, type ProductSummary, type Style } from "../api/client.ts";
import { isID } from "../api/ids.ts";
import { product as productQuery, styles as stylesQuery } from "../api/queries.ts";
import { Message, Unreachable } from "../message.tsx";
import { formatPrice } from "../price.ts";
import { Choice } from "./choice.tsx";
import { Gallery, GallerySkeleton } from "./gallery.tsx";
import { Related } from "./related.tsx";
import { styleToShow } from "./stock.ts";

/** ProductPage shows the product whose id is in the address. */
export function ProductPage({ address }: { address: string }) {
  if (!isID(address)) return <NoProduct>{`“${address}” is not a product id. Product ids are positive integers.`}</NoProduct>;
  return <KnownProduct id={address} />;
}

function NoProduct({ children }: { children: string }) {
  return (
    <Message title="No such product">
      <p>{children}</p>
      <Link href="/" className="button">
        Go to the catalog
      </Link>
    </Message>
  );
}

function KnownProduct({ id }: { id: string }) {
  const seen = useSummary(id);
  const { data: product, error, isFetching, refetch } = useQuery(productQuery(id));
  const styles = useQuery(stylesQuery(id));
  const [parameters, setParameters] = useSearchParams();

  // A product that was removed must not stay on screen.
  if (error instanceof Refusal && error.status === 404)
    return <NoProduct>{`Product ${id} does not exist. It may have been removed.`}</NoProduct>;
  if (!product && error) return <Unreachable error={error} retrying={isFetching} onRetry={() => void refetch()} />;

  const shown: Product | ProductSummary | undefined = product ?? seen;
  const results = styles.data?.results;
  const style = results && styleToShow(results, parameters.get("style"));
  return (
    <>
      <title>{`${shown?.name ?? `Product ${id}`} · systemScale`}</title>
      <article className="product" aria-busy={!product || styles.isPending}>
        <Photos product={shown} style={style} known={results !== undefined} failed={styles.isError} />
        <div className="details">
          <p className="eyebrow">
            <span>{shown?.category ?? <i className="bone" style={{ width: "6em" }} />}</span>
            <span>{`No. ${id}`}</span>
          </p>
          <h1 tabIndex={-1}>
            {shown?.name ?? (
              <>
                <span className="hidden">{`Loading product ${id}`}</span>
                <i className="bone" style={{ width: "70%" }} />
              </>
            )}
          </h1>
          <p className="slogan">{shown?.slogan ?? <i className="bone" style={{ width: "50%" }} />}</p>
          <Price fallback={shown?.default_price} style={style} known={results !== undefined || styles.isError} />
          <Styles
            styles={results}
            chosen={style}
            failed={styles.isError}
            onChoose={(chosen) => setParameters({ style: chosen.style_id }, { replace: true })}
            onRetry={() => void styles.refetch()}
          />
          <section aria-label="About this product" className="about">
            <p>{shown?.description ?? <i className="bone" style={{ width: "100%", height: "5em" }} />}</p>
            {product && product.features.length > 0 && (
              <dl aria-label="Features">
                {product.features.map(({ feature, value }, i) => (
                  <div key={i}>
                    <dt>{feature}</dt>
                    <dd>{value ?? "Yes"}</dd>
                  </div>
                ))}
              </dl>
            )}
          </section>
        </div>
      </article>
      <Related id={id} />
    </>
  );
}

/** Photos shows the photos of a style once the styles are known or have failed to load. */
function Photos({ product, style, known, failed }: PhotosProperties) {
  if (!product) return <GallerySkeleton />;
  if (known) return <Gallery key={style?.style_id} name={product.name} style={style} />;
  return failed ? <Gallery name={product.name} style={undefined} /> : <GallerySkeleton />;
}

interface PhotosProperties {
  product: Product | ProductSummary | undefined;
  style: Style | undefined;
  known: boolean;
  failed: boolean;
}

/** Styles lets the customer choose a style, a size and a quantity, or explains why that is not possible. */
function Styles({ styles, chosen, failed, onChoose, onRetry }: StylesProperties) {
  if (styles && chosen) return <Choice styles={styles} chosen={chosen} onChoose={onChoose} />;
  if (styles) return <p className="note">This product has no styles.</p>;
  if (!failed) return <ChoiceSkeleton />;
  return (
    <p className="note">
      The styles could not be loaded.{" "}
      <button type="button" className="link" onClick={onRetry}>
        Try again
      </button>
    </p>
  );
}

interface StylesProperties {
  styles: readonly Style[] | undefined;
  chosen: Style | undefined;
  failed: boolean;
  onChoose: (style: Style) => void;
  onRetry: () => void;
}

/** useSummary returns the product's summary from the cached catalog pages, which the page shows until the product is loaded. */
function useSummary(id: string): ProductSummary | undefined {
  const client = useQueryClient();
  return client
    .getQueriesData<readonly ProductSummary[]>({ queryKey: ["page"] })
    .flatMap(([, page]) => page ?? [])
    .find((summary) => summary.id === id);
}

/** Price shows the price of the style, or of a product without styles. Screen readers announce its changes. */
function Price({ style, fallback, known }: { style: Style | undefined; fallback: string | undefined; known: boolean }) {
  const now = style ? (style.sale_price ?? style.original_price) : known ? fallback : undefined;
  const before = style?.sale_price != null ? style.original_price : undefined;
  const news = useNews(
    now === undefined ? undefined : `${style ? `${style.name}: ` : ""}${formatPrice(now)}${before ? `, was ${formatPrice(before)}` : ""}`,
  );
  return (
    <>
      <p className="price" data-sale={before !== undefined}>
        {now === undefined ? (
          <i className="bone" style={{ width: "5em" }} />
        ) : (
          <>
            <span className="hidden">{before ? "Sale price " : "Price "}</span>
            <strong>{formatPrice(now)}</strong>
            {before && (
              <>
                <span className="hidden">, original price </span>
                <s>{formatPrice(before)}</s>
              </>
            )}
          </>
        )}
      </p>
      <p role="status" className="hidden">
        {news}
      </p>
    </>
  );
}

/** useNews returns text once it differs from its first value. */
function useNews(text: string | undefined): string | undefined {
  const first = useRef(text);
  const [news, setNews] = useState<string>();
  useEffect(() => {
    first.current ??= text;
    setNews((before) => (before !== undefined || text !== first.current ? text : undefined));
  }, [text]);
  return news;
}

function ChoiceSkeleton() {
  return (
    <div className="choice" aria-hidden="true">
      <p>
        <i className="bone" style={{ width: "9em" }} />
      </p>
      <div className="swatches">
        {Array.from({ length: 5 }, (_, i) => (
          <i key={i} className="bone swatch" />
        ))}
      </div>
      <i className="bone" style={{ width: "60%", height: "2.75rem" }} />
    </div>
  );
}
