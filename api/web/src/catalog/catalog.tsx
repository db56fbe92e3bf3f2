import { keepPreviousData, useQuery } from "@tanstack/react-query";
import { Link, useSearchParams } from "wouter";
import { catalogPage, pageSize } from "../api/queries.ts";
import { Card, CardSkeleton } from "../card.tsx";
import { Message, Unreachable } from "../message.tsx";
import { Pager } from "./pager.tsx";

export function Catalog() {
  const [parameters, setParameters] = useSearchParams();
  const page = pageNumber(parameters.get("page"));
  const { data, error, isPending, isPlaceholderData, isFetching, refetch } = useQuery({
    ...catalogPage(page),
    placeholderData: keepPreviousData,
  });
  const goTo = (wanted: number) => setParameters(wanted === 1 ? {} : { page: String(wanted) });

  if (data === undefined && error) {
    return (
      <Unreachable error={error} retrying={isFetching} onRetry={() => void refetch()}>
        {/* Pages that were loaded before are still cached. */}
        {page > 1 && <Pager page={page} count={undefined} onPage={goTo} />}
      </Unreachable>
    );
  }
  if (data?.length === 0 && !isPlaceholderData) {
    return page === 1 ? (
      <Message title="The catalog is empty">
        <p>Products appear here when a catalog is published.</p>
      </Message>
    ) : (
      <Message title="Past the last page">
        <p>{`The catalog ends before page ${page.toLocaleString("en-US")}.`}</p>
        <Pager page={page} count={0} onPage={goTo} />
        <Link href="/" className="button">
          Go to the first page
        </Link>
      </Message>
    );
  }
  return (
    <>
      <title>{page === 1 ? "Catalog · systemScale" : `Page ${page} · systemScale`}</title>
      <div className="title">
        <h1 tabIndex={-1}>The catalog</h1>
        <p role="status" className="faint">
          {isPending || isPlaceholderData ? `Loading page ${page.toLocaleString("en-US")}…` : `Page ${page.toLocaleString("en-US")}`}
        </p>
      </div>
      <ul className="cards" aria-busy={isPending || isPlaceholderData} aria-label="Products">
        {data
          ? data.map((product) => (
              <li key={product.id}>
                <Card product={product} />
              </li>
            ))
          : Array.from({ length: pageSize }, (_, i) => (
              <li key={`bone ${i}`}>
                <CardSkeleton />
              </li>
            ))}
      </ul>
      <Pager page={page} count={isPlaceholderData ? undefined : data?.length} onPage={goTo} />
    </>
  );
}

/** pageNumber parses the page in the address. The default is the first page. */
function pageNumber(text: string | null): number {
  return text !== null && /^[1-9]\d{0,14}$/.test(text) ? Number(text) : 1;
}
