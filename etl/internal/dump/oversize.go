package dump

import (
	"fmt"

	"systemscale/etl/internal/document"
	"systemscale/etl/internal/join"
	"systemscale/etl/internal/shape"
	"systemscale/etl/internal/source"
)

// The rows of an item may take as much memory as the largest document several times over, because rows take more memory than their
// text, and some more for rows that no document shows. No known catalog comes near it.
const (
	itemMemory        = 8 << 20
	memoryPerDocument = 8 // bytes for each of the largest document
)

// OversizeError ends the reading of an item that grows too large, at the row that shows it.
type OversizeError struct {
	File  string
	Line  int64
	Limit int64 // Options.MaxDocument

	excess string // the part that is too large, with its size
}

func (e *OversizeError) Error() string {
	return fmt.Sprintf("%s:%d: %s. Look at its rows (do all of them name the same parent?), or raise --max-document",
		shape.FileName(e.File), e.Line, e.excess)
}

// sizeGuard returns a function for join.Joiner.Watch. It returns an *OversizeError as soon as a document of the item is certain to
// be larger than limit, or the rows take too much memory, even those that no document shows.
func sizeGuard(spec *shape.Shape, joiner *join.Joiner, limit int64) func(*source.Reader, *join.Tree) error {
	gauge := document.NewGauge(spec)
	memory := itemMemory + memoryPerDocument*limit
	return func(reader *source.Reader, tree *join.Tree) error {
		of, size := gauge.Grow(tree)
		if size <= limit && joiner.Held() <= memory {
			return nil
		}
		e := &OversizeError{File: reader.Counts().File, Line: reader.Line(), Limit: limit}
		if size > limit {
			e.excess = fmt.Sprintf("%s %s has more than %d bytes at this line", spec.Endpoints[of].Name, tree.ID(), limit)
		} else {
			e.excess = fmt.Sprintf("the rows of %s take more than %d bytes of memory at this line, whatever the documents show of them",
				itemName(spec, tree), memory)
		}
		return e
	}
}

func itemName(spec *shape.Shape, tree *join.Tree) string {
	if tree.Size(0) == 0 {
		return "no item"
	}
	return fmt.Sprintf("%s %s", spec.Sources[0].Name, tree.ID())
}
