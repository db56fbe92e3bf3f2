import { useQueryClient } from "@tanstack/react-query";
import { useState } from "react";
import { useExchanges } from "../api/exchanges.ts";
import { catalogPage, pageSize } from "../api/queries.ts";
import { findLastPage } from "./lastPage.ts";

/**
 * Pager leads to any page of the catalog. How many there are is unknown until somebody asks for the last one or comes upon it.
 * count is how many products are on the page, or undefined while that is not known.
 */
export function Pager({ page, count, onPage }: { page: number; count: number | undefined; onPage: (page: number) => void }) {
  const { last, search, searching, failed } = useLastPage(page, count);
  const [written, setWritten] = useState<string>();
  const shown = written ?? String(page);
  const go = (wanted: number) => {
    setWritten(undefined);
    onPage(wanted);
  };
  const isLast = last !== undefined && page >= last;
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
      <button type="button" disabled={isLast || count === 0} onClick={() => go(page + 1)} aria-label="Next page">
        ›
      </button>
      <button type="button" disabled={isLast && count !== 0} aria-busy={searching} onClick={() => void search().then((found) => found && go(found))} aria-label="Last page">
        »
      </button>
      <span role="status" className="hidden">
        {searching ? "Looking for the last page" : failed ? "The last page could not be found" : ""}
      </span>
    </nav>
  );
}

/** useLastPage knows the last page once it was found, for as long as the data has the same version. */
function useLastPage(page: number, count: number | undefined) {
  const client = useQueryClient();
  const version = useExchanges((state) => state.version);
  const key = ["last page"];
  const known = client.getQueryData<{ page: number; version: string | undefined }>(key);
  const [searching, setSearching] = useState(false);
  const [failed, setFailed] = useState(false);

  // A page that is not full is the last; one that is full shows that an older finding is none any more.
  let last = known?.version === version ? known?.page : undefined;
  if (count !== undefined && count > 0 && count < pageSize) last = page;
  else if (last !== undefined && count === pageSize && page > last) last = undefined;

  const search = async () => {
    if (searching) return undefined;
    if (last !== undefined) return last;
    setSearching(true);
    setFailed(false);
    try {
      const countOn = async (wanted: number) => (await client.fetchQuery({ ...catalogPage(wanted), staleTime: 60_000 })).length;
      const found = await findLastPage(countOn, pageSize, known?.page ?? (count ? page : 1));
      client.setQueryData(key, { page: found, version });
      return found;
    } catch {
      setFailed(true);
      return undefined;
    } finally {
      setSearching(false);
    }
  };
  return { last, search, searching, failed };
}
