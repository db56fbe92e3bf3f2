/**
 * findLastPage returns the number of the last page that is not empty, or 1. A page has no total, so it requests pages in growing
 * steps until one is empty, and then searches in between by bisection. A page that is not full ends the search.
 *
 * countOn returns the number of products on a page, size is that of a full page, and from is the page to try first.
 */
export async function findLastPage(countOn: (page: number) => Promise<number>, size: number, from = 1): Promise<number> {
  let full = 0; // the last page known to be full
  let empty = Infinity; // the first page known to be empty
  let page = Math.max(1, from);
  for (;;) {
    const count = await countOn(page);
    if (count > 0 && count < size) return page;
    if (count > 0) full = page;
    else empty = page;
    if (empty - full <= 1) return Math.max(1, full);
    // If from is the last page, the next one is empty.
    if (full === from && empty === Infinity) page = full + 1;
    else if (empty === Infinity) page = full * 4;
    else page = Math.floor((full + empty) / 2);
  }
}
