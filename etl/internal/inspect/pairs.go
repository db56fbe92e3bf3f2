package inspect

import (
	"slices"

	"github.com/zeebo/xxh3"

	"systemscale/etl/internal/csvscan"
	"systemscale/etl/internal/shape"
)

// mostPaired is the number of columns of which all pairs are tried.
const mostPaired = 6

// pairsOf returns the pairs of the columns that are most likely a key: those that refer to other files, then the first ones.
func (in *inspection) pairsOf(t *table) []*pair {
	var columns []int
	take := func(i int) {
		c := t.columns[i]
		if len(columns) < mostPaired && !slices.Contains(columns, i) && c.allNulls() == 0 && c.empty == 0 &&
			(c.kind == shape.Int || c.kind == shape.Text && c.longest <= 200) {
			columns = append(columns, i)
		}
	}
	for _, r := range t.references {
		if r.like > unlike {
			take(r.column)
		}
	}
	for i := range t.columns {
		take(i)
	}
	var pairs []*pair
	for i, first := range columns {
		for _, second := range columns[i+1:] {
			pairs = append(pairs, &pair{first: min(first, second), second: max(first, second), known: newSet(&in.memory)})
		}
	}
	return pairs
}

func (p *pair) observe(fields []csvscan.Field) {
	if p.known == nil || p.second >= len(fields) {
		return
	}
	p.joined = append(append(append(p.joined[:0], fields[p.first].Text...), 0), fields[p.second].Text...)
	if p.known.add(xxh3.Hash(p.joined)) {
		p.known.free()
		p.known = nil
	}
}

// keepPairs drops the pairs that are the same in two rows.
func (t *table) keepPairs() {
	t.pairs = slices.DeleteFunc(t.pairs, func(p *pair) bool { return p.known == nil })
}
