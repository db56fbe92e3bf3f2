package inspect

import (
	"cmp"
	"slices"

	"systemscale/etl/internal/shape"
)

// tree is the choice of the root and of each file's parent.
type tree struct {
	root    *table
	order   []*table // parents first
	parents map[*table]*reference
	depth   map[*table]int
	lookups []*table // looked up by the rows of others
	files   int      // in order
	nested  int      // look-ups in look-ups that the rows below the items show
	apart   bool     // the files below the items have documents of their own
}

// grow returns the largest tree below a root.
func (in *inspection) grow(root *table) *tree {
	tr := &tree{root: root, order: []*table{root}, parents: map[*table]*reference{}, depth: map[*table]int{root: 0}}
	reach := in.reach(root)
	for placed := true; placed; {
		placed = in.place(tr, reach, true) || in.place(tr, reach, false)
	}
	return tr
}

// place adds the files whose parents are in the tree. With waits, those of which another possible parent is not there yet are not added,
// so that the nearest one can be chosen; without it, only one is.
func (in *inspection) place(tr *tree, reach map[*table]bool, waits bool) (added bool) {
	for _, t := range in.tables {
		if _, done := tr.depth[t]; done || !reach[t] {
			continue
		}
		best := tr.bestParent(t, reach, waits)
		if best == nil {
			continue
		}
		tr.parents[t], tr.depth[t] = best, tr.depth[best.to]+1
		tr.order = append(tr.order, t)
		if added = true; !waits {
			return true
		}
	}
	return added
}

func (tr *tree) bestParent(t *table, reach map[*table]bool, waits bool) (best *reference) {
	for _, r := range t.references {
		if r.to == t || !t.canHang(r) {
			continue
		}
		if _, there := tr.depth[r.to]; !there {
			if waits && reach[r.to] {
				return nil
			}
			continue
		}
		if parent := tr.parents[r.to]; parent != nil && parent.loses(r.to) {
			continue
		}
		if best == nil || cmp.Or(compareBool(r.complete(), best.complete()), compareBool(best.loses(t), r.loses(t)),
			compareBool(t.hasName(r.to), t.hasName(best.to)),
			compareBool(r.key == r.to.key, best.key == best.to.key),
			cmp.Compare(tr.depth[r.to], tr.depth[best.to]),
			cmp.Compare(r.like, best.like), cmp.Compare(best.column, r.column)) > 0 {
			best = r
		}
	}
	return best
}

// isOneToOne reports whether the key of a file is also that of its parent.
func (tr *tree) isOneToOne(t *table) bool {
	parent := tr.parents[t]
	return parent != nil && parent.column == t.key && t.key >= 0
}

func compareBool(a, b bool) int {
	switch {
	case a == b:
		return 0
	case a:
		return 1
	}
	return -1
}

// reach returns the files that refer to a root, directly or not.
func (in *inspection) reach(root *table) map[*table]bool {
	reach := map[*table]bool{root: true}
	for more := true; more; {
		more = false
		for _, t := range in.tables {
			if reach[t] || in.lists[t] {
				continue
			}
			for _, r := range t.references {
				if reach[r.to] && t.canHang(r) {
					reach[t], more = true, true
				}
			}
		}
	}
	return reach
}

// canHang reports whether a file can be a child by a reference.
func (t *table) canHang(r *reference) bool {
	return !r.isBackward(t) && t.columns[r.column].allNulls() <= t.rows/2 && r.to.key >= 0 && (r.key == r.to.key || r.to != t && r.column != t.key)
}

// loses reports whether many rows of the file have no parent by the reference: a run rejects the rows below them.
func (r *reference) loses(t *table) bool {
	return t.columns[r.column].allNulls()*mostLost > t.rows || (r.checked-r.contained)*mostLost > r.checked
}

// mostLost is the share of the rows of a file that a run rejects at most, unless the gate is accepted.
const mostLost = 100

// isBackward reports whether the keys of the file are in fact the ones that the other file refers to, as those of all territories are for
// the territories of employees: all of its keys are here, and only some of these are there.
func (r *reference) isBackward(t *table) bool {
	return !r.complete() && slices.ContainsFunc(r.to.references, func(other *reference) bool {
		return other.to == t && other.column == r.key && other.key == r.column && other.complete()
	})
}

// canBeRoot returns why the rows of a file cannot be the items, or "".
func (t *table) canBeRoot() string {
	if t.key < 0 && len(t.pairs) == 0 {
		return "no column has a different value in each row, nor have two of them together"
	}
	return ""
}

// lookUp notes the files whose rows the rows of a file look up, and those that these look up.
func (tr *tree) lookUp(t *table, nested int, above ...*table) {
	above = append(above, t)
	for _, r := range t.references {
		if nested > 0 && tr.isLookup(t, r) && !slices.Contains(above, r.to) {
			if !slices.Contains(tr.lookups, r.to) {
				tr.lookups = append(tr.lookups, r.to)
			}
			tr.lookUp(r.to, nested-1, above...)
		}
	}
}

// namesakes returns how many files have the name of the root in theirs, as order_lines has that of orders.
func (tr *tree) namesakes() int {
	n := 0
	for _, t := range tr.order[1:] {
		if t.hasName(tr.root) {
			n++
		}
	}
	return n
}

// hasName reports whether the name of another file is a part of the file's.
func (t *table) hasName(other *table) bool {
	own, part := noun(t.base()), noun(other.base())
	for i := range own {
		if i+len(part) <= len(own) && sameNouns(own[i:i+len(part)], part) {
			return true
		}
	}
	return false
}

// belowSuffix is in the name of the second source of a file.
const belowSuffix = "_below"

// addBelow adds a source for each file whose rows refer to others of it: the rows below a row are its children.
func (tr *tree) addBelow() {
	for _, t := range tr.order[:tr.files] {
		for _, r := range t.references {
			if r.to != t || r.key != t.key {
				continue
			}
			below := *t
			below.source += belowSuffix
			below.references = slices.DeleteFunc(slices.Clone(t.references), func(other *reference) bool { return other.to == t })
			parent := *r
			tr.parents[&below], tr.depth[&below] = &parent, tr.depth[t]+1
			tr.order = append(tr.order, &below)
			break
		}
	}
}

// isLookup reports whether a column looks up the rows of a file that is not in the tree.
func (tr *tree) isLookup(t *table, r *reference) bool {
	_, placed := tr.depth[r.to]
	return !placed && r.to != t && r.shown() && r.key == r.to.key && (r.column != t.key || t != tr.root && r.like == same)
}

// listNames are names of files whose rows say something about the rows that refer to them.
var listNames = []string{
	"category", "type", "kind", "status", "genre", "country", "brand", "currency", "language", "unit", "supplier", "manufacturer", "vendor",
	"region", "department", "role", "shipper", "publisher", "license", "class", "material", "color",
}

// findLists finds the files whose rows are looked up, and are no items: they refer to no other file, and files with texts refer to them.
func (in *inspection) findLists() {
	in.lists = map[*table]bool{}
	for _, t := range in.tables {
		for _, r := range t.references {
			name := noun(r.to.base())
			listed := len(name) > 0 && slices.ContainsFunc(listNames, func(list string) bool { return sameNoun(list, name[len(name)-1]) })
			if listed && r.shown() && r.key == r.to.key && r.to != t && r.to.refersToOthers() == 0 && r.to.rows <= t.rows && t.hasText() {
				in.lists[r.to] = true
			}
		}
	}
}

// refersToOthers returns the number of references to other files.
func (t *table) refersToOthers() (n int) {
	for _, r := range t.references {
		if r.to != t {
			n++
		}
	}
	return n
}

// hasText reports whether the file has a text that is not its key.
func (t *table) hasText() bool {
	for i, c := range t.columns {
		if c.kind == shape.Text && i != t.key {
			return true
		}
	}
	return false
}
