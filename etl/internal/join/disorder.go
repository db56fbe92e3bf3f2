package join

import (
	"fmt"

	"systemscale/etl/internal/source"
)

// Problem is what keeps a file from being joined as it is.
type Problem uint8

// The problems.
const (
	Unsorted         Problem = iota // its rows are not in the order of their parents, or of the root's key
	ItemsInterleaved                // its keys go back from item to item, so its children cannot follow by their parents' keys
	SparseKeys                      // its keys are too far apart to remember all of them
)

// Disorder is the error that ends a join of files which do not suit it as they are. It wraps a *source.FileError that
// names the line.
type Disorder struct {
	Source  int // index in the shape
	Problem Problem
	err     *source.FileError
}

func (d *Disorder) Error() string { return d.err.Error() }

func (d *Disorder) Unwrap() error { return d.err }

// disorder returns the error for the row that was read last: its column has a value that does not go with an earlier one.
func (in *input) disorder(i int, problem Problem, column int, value, earlier int64) error {
	name := in.spec.Columns[column].Name
	text := fmt.Sprintf("%s %d stands behind %s %d", name, value, name, earlier)
	switch problem {
	case ItemsInterleaved:
		text += ", which belongs to an earlier item"
	case SparseKeys:
		text = fmt.Sprintf("%s %d is too far from the others for all of them to be remembered", name, value)
	}
	return &Disorder{Source: i, Problem: problem, err: &source.FileError{File: in.spec.File, Line: in.reader.Line(), Message: text}}
}
