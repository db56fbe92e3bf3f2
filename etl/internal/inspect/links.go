package inspect

import (
	"cmp"
	"context"
	"slices"

	"github.com/zeebo/xxh3"

	"systemscale/etl/internal/csvscan"
	"systemscale/etl/internal/shape"
)

// reference is a column whose values may be keys of a file.
type reference struct {
	column int
	to     *table
	key    int // of to's columns
	like   likeness

	checked   int64 // values that the key's set can answer for
	contained int64 // of them
	zeros     int64 // values 0 that are no key
	missing   sample
	dropped   bool
}

// from which share of its values a column can refer to a key: rows without a parent are damage, which a run should report.
const containedShare = 0.9

// references finds the columns that may refer to keys of other files, and compares all their values.
func (in *inspection) references(ctx context.Context) error {
	for _, t := range in.tables {
		in.candidates(t)
		if !t.hasKey() {
			t.pairs = in.pairsOf(t)
		}
		if len(t.references) == 0 && len(t.pairs) == 0 {
			continue
		}
		if err := in.compare(ctx, t); err != nil {
			return err
		}
		t.references = slices.DeleteFunc(t.references, func(r *reference) bool { return !r.holds() })
		t.keepPairs()
	}
	return nil
}

func (in *inspection) candidates(t *table) {
	for i, c := range t.columns {
		if c.values == 0 || c.kind != shape.Int && c.kind != shape.Text {
			continue
		}
		for _, to := range in.tables {
			for k, key := range to.columns {
				if to == t && k == i || !key.unique() || key.kind != c.kind {
					continue
				}
				r := &reference{column: i, to: to, key: k, like: alikeNames(c.name, to.base(), key.name)}
				if to == t && named(c.name, aboveNames) {
					r.like = same
				}
				if r.like > unlike || to != t && unlikely(c, key) {
					t.references = append(t.references, r)
				}
			}
		}
	}
}

// unlikely reports whether the values of a column are hardly all keys by chance: names must then not be alike. Ids of a sequence contain
// every small number.
func unlikely(c, key *column) bool {
	if len(c.few) < mostFew {
		return false
	}
	if c.kind == shape.Text {
		return key.longest > 3
	}
	return c.low >= key.low && c.high <= key.high && c.chance(key) < 0.5
}

// compare looks up every value of the columns that may be references.
func (in *inspection) compare(ctx context.Context, t *table) error {
	header := !t.notation.headerless
	return t.records(ctx, in.tick(t), func(line int64, fields []csvscan.Field) error {
		if header {
			header = false
			return nil
		}
		for _, p := range t.pairs {
			p.observe(fields)
		}
		column, hash := -1, uint64(0)
		for _, r := range t.references {
			if r.dropped || r.column >= len(fields) {
				continue
			}
			f := &fields[r.column]
			if r.column != column {
				column, hash = r.column, xxh3.Hash(f.Text)
			}
			r.look(t.columns[r.column], f, hash, line)
		}
		return nil
	})
}

func (r *reference) look(c *column, f *csvscan.Field, hash uint64, line int64) {
	keys := r.to.columns[r.key].known
	if !keys.sampled(hash) || !f.Quoted && c.isNull(f.Text) {
		return
	}
	r.checked++
	switch {
	case keys.has(hash):
		r.contained++
		return
	case string(f.Text) == "0":
		r.zeros++
		return
	}
	if r.missing.count++; r.missing.count == 1 {
		r.missing.text, r.missing.line = string(f.Text[:min(len(f.Text), mostShown)]), line
	}
	r.dropped = r.like == unlike || r.missing.count > c.values/8+1
}

// isNull reports whether a field without quotes is null in the column.
func (c *column) isNull(text []byte) bool {
	word := nullWord(text)
	return word >= 0 && (c.kind != shape.Text || word < afterWords) || slices.Contains(c.own, string(text))
}

// holds reports whether the values are keys.
func (r *reference) holds() bool {
	all := r.checked - r.zeros
	return !r.dropped && r.contained > 0 && float64(r.contained) >= containedShare*float64(all)
}

// complete reports whether every value is a key, but for damage.
func (r *reference) complete() bool { return (r.checked-r.contained)*damage <= r.checked }

// evidence is the comment for a reference.
func (r *reference) evidence(t *table) string {
	key := r.to.columns[r.key]
	text := comma(r.contained) + " of " + comma(r.checked) + " values are in " + r.to.text.Name + "'s " + key.name
	if key.known.thin > 0 {
		text += " (of a sample, 1 in " + comma(1<<key.known.thin) + ")"
	}
	if r.zeros > 0 {
		text += "; " + comma(r.zeros) + " are 0"
	}
	if r.missing.count > 0 {
		text += "; not " + r.missing.show()
	}
	if r.like == unlike {
		text += ", though no name says so"
	}
	return text
}

// hasKey reports whether a column may be the key, whatever refers to it.
func (t *table) hasKey() bool {
	for i, c := range t.columns {
		if keyScore(t, c, i, 0) > 0 {
			return true
		}
	}
	return false
}

// chooseKeys chooses the column of each file that identifies a row.
func (in *inspection) chooseKeys() {
	wanted := map[*column]int{} // by how many other columns refer to it, by name
	for _, t := range in.tables {
		for _, r := range t.references {
			if r.like > unlike {
				wanted[r.to.columns[r.key]]++
			}
		}
	}
	for _, t := range in.tables {
		t.key = -1
		best := 0
		for i, c := range t.columns {
			if score := keyScore(t, c, i, wanted[c]); score > best {
				t.key, best = i, score
			}
		}
	}
}

// keepKeys drops the references to columns that are no keys.
func (in *inspection) keepKeys() {
	for _, t := range in.tables {
		t.references = slices.DeleteFunc(t.references, func(r *reference) bool {
			key := words(r.to.columns[r.key].name)
			return r.key != r.to.key && (r.like == unlike || len(key) == 0 || !slices.Contains(idNames, key[len(key)-1]))
		})
	}
}

// keyScore is how well a column can be the key of a file: 0 if it cannot.
func keyScore(t *table, c *column, at, wanted int) int {
	if !c.unique() {
		return 0
	}
	score := 25 * min(wanted, 2)
	found := words(c.name)
	switch {
	case len(found) == 1 && found[0] == "id":
		score += 100
	case len(found) > 1 && slices.Contains(idNames, found[len(found)-1]) && sameNouns(noun(c.name), noun(t.base())):
		score += 90
	case len(found) > 0 && slices.Contains(idNames, found[len(found)-1]):
		score += 60
	}
	if at == 0 {
		score += 30
	}
	if score > 0 && c.kind == shape.Int {
		score += 10
	}
	if c.duplicates > 0 {
		score -= 20
	}
	return max(score, 0)
}

// tree is the choice of the root and of each file's parent.
type tree struct {
	root    *table
	order   []*table // parents first
	parents map[*table]*reference
	depth   map[*table]int
	lookups []*table // looked up by the rows of others
	files   int      // in order
}

// grow returns the largest tree below a root.
func (in *inspection) grow(root *table) *tree {
	tr := &tree{root: root, order: []*table{root}, parents: map[*table]*reference{}, depth: map[*table]int{root: 0}}
	reach := in.reach(root)
	for in.place(tr, reach, true) || in.place(tr, reach, false) {
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
		if best == nil || cmp.Or(compareBool(r.complete(), best.complete()), compareBool(t.hasName(r.to), t.hasName(best.to)),
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
	skipped := func(t *table) bool { return in.lists[t] }
	for more := true; more; {
		more = false
		for _, t := range in.tables {
			if reach[t] || skipped(t) {
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
	return r.to.key >= 0 && (r.key == r.to.key || r.to != t && r.column != t.key)
}

// canBeRoot returns why the rows of a file cannot be the items, or "".
func (t *table) canBeRoot() string {
	switch {
	case t.key < 0 && len(t.pairs) == 0:
		return "no column has a different value in each row, nor have two of them together"
	}
	return ""
}

// plant chooses the root: the file that most others refer to, directly or not.
func (in *inspection) plant(wanted string) (*tree, error) {
	var best *tree
	for _, t := range in.tables {
		if t.canBeRoot() != "" || wanted == "" && in.lists[t] || wanted != "" && t.text.Name != wanted && t.source != wanted {
			continue
		}
		tr := in.grow(t)
		if best == nil || cmp.Or(cmp.Compare(len(tr.order), len(best.order)), cmp.Compare(tr.namesakes(), best.namesakes()),
			cmp.Compare(len(tr.root.columns), len(best.root.columns)),
			cmp.Compare(tr.root.rows, best.root.rows)) > 0 {
			best = tr
		}
	}
	if best == nil && len(in.lists) > 0 {
		in.lists = nil
		return in.plant(wanted)
	}
	if best == nil {
		return nil, in.noRoot(wanted)
	}
	best.files = len(best.order)
	best.addBelow()
	for i := 0; i < len(best.order)+len(best.lookups); i++ {
		t := slices.Concat(best.order, best.lookups)[i]
		for _, r := range t.references {
			if best.isLookup(t, r) && !slices.Contains(best.lookups, r.to) {
				best.lookups = append(best.lookups, r.to)
			}
		}
	}
	return best, nil
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
	return !placed && r.to != t && r.like > unlike && r.key == r.to.key && r.column != t.key
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
			listed := slices.ContainsFunc(listNames, func(list string) bool { return sameNoun(list, name[len(name)-1]) })
			if listed && r.like > unlike && r.key == r.to.key && r.to != t && r.to.refersToOthers() == 0 && r.to.rows <= t.rows && t.hasText() {
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
