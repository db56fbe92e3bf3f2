// Package document renders a tree of joined rows to a JSON document. The same shape and rows always give the same
// bytes.
//
// A Renderer compiles the body of an endpoint once to a flat list of steps. Rendering executes them. It uses no map and no
// reflection, and does not allocate once the destination is large enough.
package document

import (
	"sync/atomic"

	"systemscale/etl/internal/join"
	"systemscale/etl/internal/shape"
	"systemscale/etl/internal/source"
)

// Renderer renders the documents of one endpoint. It is safe for concurrent use.
type Renderer struct {
	steps   []step
	scratch *atomic.Pointer[scratch] // one that is not in use; nil if no step needs one
}

// New returns a Renderer for the documents of an endpoint.
func New(spec *shape.Shape, endpoint *shape.Endpoint) *Renderer {
	return newRenderer(spec, endpoint.Body, 0)
}

// NewFragment returns a Renderer for the fragments of a table.
func NewFragment(spec *shape.Shape, table *shape.Table) *Renderer {
	return newRenderer(spec, table.Body, table.Source)
}

// newRenderer returns a Renderer of a body for the rows of a source.
func newRenderer(spec *shape.Shape, body shape.Node, of int) *Renderer {
	steps, needsScratch := compile(spec.Sources, body, of)
	r := &Renderer{steps: steps}
	if needsScratch {
		r.scratch = new(atomic.Pointer[scratch])
	}
	return r
}

// Append renders the tree's document, appends it to dst and returns the extended slice.
func (r *Renderer) Append(dst []byte, tree *join.Tree) []byte {
	return r.AppendRow(dst, tree, tree.Rows(0), 0, 0)
}

// AppendRow is Append for a row of a source without parent. tree is nil unless the source is the root.
func (r *Renderer) AppendRow(dst []byte, tree *join.Tree, rows *source.Rows, of int, row int32) []byte {
	w := writer{buffer: dst[:cap(dst)], end: len(dst)}
	if r.scratch != nil {
		// Not a sync.Pool, which loses its content at times: nearly always one goroutine renders.
		if w.scratch = r.scratch.Swap(nil); w.scratch == nil {
			w.scratch = &scratch{}
		}
		w.scratch.document++
	}
	w.steps(r.steps, tree, rows, of, row)
	if w.scratch != nil {
		r.scratch.Store(w.scratch)
	}
	return w.buffer[:w.end]
}
