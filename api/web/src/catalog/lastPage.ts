/**
 * findLastPage returns the number of the last page that has something on it, or 1 if none has. The API gives no total: pages are asked
 * for in ever larger steps until one is empty, and then the gap is halved. A page that is not full ends the search.
 *
 * countOn says how many products a page has, size how many a full one has, and from is where to look first: a guess costs
 * little if it is right, and nothing but time if it is wrong.
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
    // Right after a guess that is right lies the end.
    if (full === from && empty === Infinity) page = full + 1;
    else if (empty === Infinity) page = full * 4;
    else page = Math.floor((full + empty) / 2);
  }
}
