package inspect

import "slices"

// largeItem is the size from which on the document of a mean item is guessed to be too large, in bytes. Some items are 30 times as large,
// and --max-document is 1 MiB.
const largeItem = 32 << 10

// allLookups is more look-ups in look-ups than there are.
const allLookups = 1 << 10

// fit chooses how much of the tree one document shows, so that the mean size is at most largeItem: all look-ups in look-ups; one look-up in
// the rows below an item, two in the item; none and one; and then a document for each of the files below the items.
func (tr *tree) fit() {
	for _, tr.nested = range []int{allLookups, 1, 0} {
		if tr.itemSize() <= largeItem {
			return
		}
	}
	tr.apart = true
}

// itemSize returns the size of the document of a mean item with all rows below it, in bytes.
func (tr *tree) itemSize() int64 {
	size := int64(0)
	for _, t := range tr.order {
		size += tr.rowSize(t, tr.nestedIn(t)) * t.rows / max(tr.root.rows, 1)
	}
	return size
}

// nestedIn returns how many look-ups in look-ups the rows of a file show.
func (tr *tree) nestedIn(t *table) int {
	if t == tr.root {
		return tr.nested + 1
	}
	return tr.nested
}

// rowSize returns the size of a mean row in a document, with the rows that it looks up and those that they look up. It does not go on beyond
// largeItem, since there can be as many paths of look-ups as files have subsets.
func (tr *tree) rowSize(t *table, lookups int, above ...*table) int64 {
	size := t.bytes / max(t.rows, 1)
	for _, c := range t.columns {
		size += int64(len(c.name)) + int64(len(`"": "",`))
	}
	above = append(above, t)
	for _, r := range t.references {
		if size <= largeItem && lookups > 0 && tr.isLookup(t, r) && !slices.Contains(above, r.to) {
			size += tr.rowSize(r.to, lookups-1, above...)
		}
	}
	return size
}

// shrunk says what fit has left out, for a comment.
func (tr *tree) shrunk() string {
	switch {
	case tr.apart:
		return "; with the rows below, it would be too large"
	case tr.nested == 0:
		return "; look-ups in the rows below would make it too large"
	case tr.nested < allLookups:
		return "; more look-ups in look-ups would make it too large"
	}
	return ""
}
