package command

import (
	"errors"
	"fmt"

	"systemscale/etl/internal/document"
	"systemscale/etl/internal/join"
	"systemscale/etl/internal/source"
)

// itemLimit is the flag of commands that join and have no gates.
type itemLimit struct {
	MaxDocument byteSize `default:"1MiB" placeholder:"SIZE" help:"An item whose rows need a larger document ends the reading. Default: ${default}."`
}

// The memory that the rows of an item may take is that of the largest document some times over, because rows take more memory than they
// show, and something beside for rows that the documents do not show. No catalog has come near it.
const (
	itemMemory        = 8 << 20
	memoryPerDocument = 8 // bytes for each of the largest document
)

// oversizeError ends the reading of an item that becomes too large, at the row at which that shows.
type oversizeError struct {
	file  string
	line  int64
	what  string // what is too large, and how large
	limit byteSize
}

func (e *oversizeError) Error() string {
	return fmt.Sprintf("%s:%d: %s. Look at the rows (do they all name the same parent?), or raise --max-document", e.file, e.line, e.what)
}

// sizeGuard returns what a joiner calls while it reads a large item: it returns an *oversizeError as soon as a document of the item is certain to
// be larger than any may be, or the rows take too much memory whatever the documents show of them.
func (in *input) sizeGuard() func(*source.Reader, *join.Tree) error {
	gauge := document.NewGauge(in.spec)
	limit := int64(in.maxDocument)
	memory := itemMemory + memoryPerDocument*limit
	return func(reader *source.Reader, tree *join.Tree) error {
		of, size := gauge.Grow(tree)
		held := in.joiner.Held()
		if size <= limit && held <= memory {
			return nil
		}
		e := &oversizeError{file: reader.Counts().File, line: reader.Line(), limit: in.maxDocument}
		if size > limit {
			e.what = fmt.Sprintf("%s %d has more than %d bytes at this line", in.spec.Endpoints[of].Name, tree.Key(), limit)
		} else {
			e.what = fmt.Sprintf("the rows of %s take more than %d bytes of memory at this line, whatever is shown of them", itemName(in, tree), memory)
		}
		return e
	}
}

func itemName(in *input, tree *join.Tree) string {
	if tree.Size(0) == 0 {
		return "no item"
	}
	return fmt.Sprintf("%s %d", in.spec.Sources[0].Name, tree.Key())
}

// asGate returns err, or the failure of the gate document-size in the place of an *oversizeError.
func asGate(err error) error {
	var oversize *oversizeError
	if !errors.As(err, &oversize) {
		return err
	}
	return &gateError{[]finding{{
		Gate: gateDocumentSize, Value: "over " + oversize.limit.String(), Limit: oversize.limit.String(), Verdict: verdictFailed,
		Message: oversize.Error(),
	}}}
}
