import { useQueryClient } from "@tanstack/react-query";
import { useEffect, useState } from "react";
import { catalogPage, pageSize } from "../api/queries.ts";
import { findLastPage } from "./lastPage.ts";

const lastPageKey = ["last page"];

/**
 * Pager navigates to any page of the catalog. The number of pages is unknown until the user requests or reaches the last one.
 * count is the number of products on the page, or undefined while that is unknown.
 */
export function Pager({ page, count, onPage }: { page: number; count: number | undefined; onPage: (page: number) => void }) {
  const { last, isLast, search, searching, failed } = useLastPage(page, count);
  const [written, setWritten] = useState<string>();
  const shown = written ?? String(page);
  const go = (wanted: number) => {
    setWritten(undefined);
    onPage(wanted);
  };
  return (
    <nav className="pager" aria-label="Pages">
      <button type="button" disabled={page === 1} onClick={() => go(1)} aria-label="First page">
        «
      </button>
      <button type="button" disabled={page === 1} onClick={() => go(page - 1)} aria-label="Previous page">
        ‹
      </button>
      <form
        onSubmit={(event) => {
          event.preventDefault();
          const wanted = Number(shown);
          if (/^\d{1,15}$/.test(shown) && wanted > 0) go(last === undefined ? wanted : Math.min(wanted, last));
          else setWritten(undefined);
        }}
      >
        <label>
          Page{" "}
          <input
            inputMode="numeric"
            autoComplete="off"
            enterKeyHint="go"
            aria-label="Page number"
            value={shown}
            style={{ width: `${Math.max(3, shown.length) + 1.6}ch` }}
            onChange={(event) => setWritten(event.target.value)}
            onFocus={(event) => event.target.select()}
            onBlur={() => setWritten(undefined)}
          />
        </label>
        {last !== undefined && <span className="of">{` of ${last.toLocaleString("en-US")}`}</span>}
      </form>
      <button type="button" disabled={isLast || count === 0 || page === last} onClick={() => go(page + 1)} aria-label="Next page">
        ›
      </button>
      <button
        type="button"
        disabled={isLast}
        aria-busy={searching}
        onClick={() => void search().then((found) => found && go(found))}
        aria-label="Last page"
      >
        »
      </button>
      <span role="status" className="hidden">
        {searching ? "Looking for the last page" : failed ? "The last page could not be found" : ""}
      </span>
    </nav>
  );
}

/** useLastPage caches the last page once it has been found. A new search starts there, because the catalog may have changed. */
function useLastPage(page: number, count: number | undefined) {
  const client = useQueryClient();
  const known = client.getQueryData<number>(lastPageKey);
  const [searching, setSearching] = useState(false);
  const [failed, setFailed] = useState(false);

  const isLast = count !== undefined && count > 0 && count < pageSize;
  // The catalog has grown beyond the last known page.
  const more = count !== undefined && count > 0 && known !== undefined && page > known;
  const last = isLast ? page : more ? undefined : known;
  useEffect(() => {
    if (last === undefined) client.removeQueries({ queryKey: lastPageKey });
    else client.setQueryData<number>(lastPageKey, last);
  }, [client, last]);

  const search = async () => {
    if (searching) return undefined;
    setSearching(true);
    setFailed(false);
    try {
      const countOn = async (wanted: number) => (await client.fetchQuery(catalogPage(wanted))).length;
      const found = await findLastPage(countOn, pageSize, last ?? (count ? page : 1));
      client.setQueryData<number>(lastPageKey, found);
      return found;
    } catch {
      setFailed(true);
      return undefined;
    } finally {
      setSearching(false);
    }
  };
  return { last, isLast, search, searching, failed };
}
