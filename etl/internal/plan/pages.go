package plan

import "systemscale/sql"

// pageCounter counts the changed pages, of sql.AnchorEvery items, of the list. Before the first item that is added or removed, these are
// the pages with a changed item; after it, all pages.
type pageCounter struct {
	limit    int     // of first
	pages    int64   // up to the first shift
	first    []int64 // the first pages that differ, from 1
	last     int64   // page that was counted last
	shifted  bool    // an item was added or removed
	boundary int64   // page of the first shift
}

func newPageCounter(limit int) pageCounter { return pageCounter{limit: limit, last: -1} }

// note counts an item that differs. row is the number of items rendered before it; shifts means that it was added or removed.
func (p *pageCounter) note(row int64, shifts bool) {
	if p.shifted {
		return
	}
	page := row / sql.AnchorEvery
	if shifts {
		p.shifted, p.boundary = true, page
		if page == p.last { // counted already
			p.boundary++
		}
		return
	}
	if page == p.last {
		return
	}
	p.last = page
	p.pages++
	if len(p.first) < p.limit {
		p.first = append(p.first, page+1)
	}
}

// differing returns the number of pages that differ between lists of before and after items, and the first of them, from 1.
func (p *pageCounter) differing(before, after int64) (pages int64, first []int64) {
	pages, first = p.pages, p.first
	if !p.shifted {
		return pages, first
	}
	all := (max(before, after) + sql.AnchorEvery - 1) / sql.AnchorEvery
	for page := p.boundary; page < all && len(first) < p.limit; page++ {
		first = append(first, page+1)
	}
	return pages + max(all-p.boundary, 0), first
}
