package document

import (
	"systemscale/etl/internal/join"
	"systemscale/etl/internal/shape"
)

// Gauge computes a lower bound of the sizes of an item's documents while its rows are being read. It must be used by one goroutine.
type Gauge struct {
	shown   [][]share // by source and endpoint
	item    int64
	counted []int   // rows of the item, by source
	sizes   []int64 // by endpoint
}

// share is the contribution of a row of one source to one document, without the rows of its children.
type share struct {
	constant int64
	cells    []cellPart
}

// cellPart is a rendered cell and the number of bytes added to its text, or those written instead if it is null.
type cellPart struct {
	place  int
	quotes int64
	null   int64
}

// NewGauge returns a Gauge for the documents of a shape.
func NewGauge(spec *shape.Shape) *Gauge {
	g := &Gauge{
		shown:   make([][]share, len(spec.Tree())),
		counted: make([]int, len(spec.Tree())),
		sizes:   make([]int64, len(spec.Endpoints)),
	}
	for i := range g.shown {
		g.shown[i] = make([]share, len(spec.Endpoints))
	}
	for d := range spec.Endpoints {
		g.add(d, 0, New(spec, &spec.Endpoints[d]).steps)
	}
	return g
}

// add adds the steps that an endpoint executes for each row of a source.
func (g *Gauge) add(endpoint, of int, steps []step) {
	p := &g.shown[of][endpoint]
	for i := range steps {
		s := &steps[i]
		p.constant += int64(len(s.literal.all))
		switch s.operation {
		case writeEach:
			p.constant++ // the closing bracket; the opening one replaces the first element's comma. The JSON for no rows is not shorter.
			g.add(endpoint, s.child, s.as)
		case writeQuoted:
			p.cells = append(p.cells, cellPart{s.place, 2, int64(len(nullText.all))})
		case writeBare, writeInside:
			p.cells = append(p.cells, cellPart{s.place, 0, int64(len(nullText.all))})
		case writeForm:
			g.form(endpoint, of, s.form)
		}
	}
}

// form adds what a form writes at least. Rows that may be left out, and all in them, count nothing.
func (g *Gauge) form(endpoint, of int, form any) {
	p := &g.shown[of][endpoint]
	switch f := form.(type) {
	case *chosen:
		p.constant++ // the closing bracket, as above
		if f.isWhole() {
			g.add(endpoint, f.child, f.as)
		}
	case *single:
		if f.isWhole() {
			g.add(endpoint, f.child, f.as)
		} else {
			p.constant++
		}
	case *aggregate:
		p.constant++
	case *split:
		p.constant += int64(len("[]"))
	case *dropping:
		p.constant += int64(len("[]"))
		for _, element := range f.elements {
			// Only an element that is the text of one cell can be counted without knowing whether it is null.
			if s := &element[0]; s.literal.all == "" && s.operation == writeQuoted {
				p.cells = append(p.cells, cellPart{place: s.place})
			}
		}
	case *joined:
		p.constant += int64(len(`""`))
		for i := range f.parts {
			if f.parts[i].place >= 0 {
				p.cells = append(p.cells, cellPart{place: f.parts[i].place})
			}
		}
	}
}

// Grow adds the rows that the tree has received since the last call. It returns the index of the endpoint with the largest document
// so far, and the least size of that document in bytes.
func (g *Gauge) Grow(tree *join.Tree) (endpoint int, size int64) {
	if tree.Size(0) == 0 {
		return 0, 0 // rows that belong to no item
	}
	if number := tree.Number(); number != g.item {
		g.item = number
		clear(g.counted)
		clear(g.sizes)
	}
	for of := range g.shown {
		for d := range g.shown[of] {
			g.sizes[d] += g.shown[of][d].size(tree, of, g.counted[of])
		}
		g.counted[of] = tree.Size(of)
	}
	for d := range g.sizes {
		if g.sizes[d] > size {
			endpoint, size = d, g.sizes[d]
		}
	}
	return endpoint, size
}

// size returns the contribution, in bytes, of the rows of a source that begin at from.
func (p *share) size(tree *join.Tree, of, from int) int64 {
	to := tree.Size(of)
	size := int64(to-from) * p.constant
	if len(p.cells) == 0 {
		return size
	}
	rows := tree.Rows(of)
	for row := from; row < to; row++ {
		cells := rows.Row(int32(row))
		for _, c := range p.cells {
			if cell := &cells[c.place]; cell.Null {
				size += c.null
			} else {
				size += int64(len(rows.Text(cell))) + c.quotes
			}
		}
	}
	return size
}
