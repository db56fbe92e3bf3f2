package inspect

import (
	"context"
	"slices"

	"github.com/zeebo/xxh3"

	"systemscale/etl/internal/csvscan"
	"systemscale/etl/internal/shape"
)

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
		t.references = slices.DeleteFunc(t.references, func(r *reference) bool { return !r.holds() || r.values && !r.holdsByValues(t) })
		t.references = slices.DeleteFunc(t.references, t.isMistaken)
		t.keepPairs()
	}
	return nil
}

// isMistaken reports whether the column of a reference to the file itself has the name of another file, as in employee_territories.
func (t *table) isMistaken(r *reference) bool {
	return r.to == t && slices.ContainsFunc(t.references, func(other *reference) bool { return other.column == r.column && other.like > r.like })
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
				r := &reference{column: i, to: to, key: k}
				switch {
				case t.notation.headerless || to.notation.headerless:
					r.values = to != t && surprising(c, key)
				case to == t && named(c.name, aboveNames):
					r.like = same
				default:
					r.like = alikeNames(c.name, to.base(), key.name)
				}
				if r.like > unlike || r.values || to != t && unlikely(c, key) {
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
	r.dropped = r.like == unlike && !r.values || r.missing.count > c.values/8+1
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

// shown reports whether names, or values in their place, show the reference.
func (r *reference) shown() bool { return r.like > unlike || r.values }

// complete reports whether every value is a key, but for damage.
func (r *reference) complete() bool { return (r.checked-r.contained)*damage <= r.checked }

// evidence is the comment for a reference.
func (r *reference) evidence() string {
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
	if r.like == unlike || r.values {
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
			if r.shown() {
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
