package join

import (
	"fmt"

	"systemscale/etl/internal/shape"
	"systemscale/etl/internal/source"
)

// Problem is the reason why a file cannot be joined as it is.
type Problem uint8

// The problems.
const (
	Unsorted         Problem = iota // its rows are not in the order of their parents, or of the root's key
	ItemsInterleaved                // its keys go back from item to item, so its children cannot be in the order of their parents' keys
	SparseKeys                      // its keys are too far apart, or too many, to keep all of them in memory
	ByValue                         // its rows name their parent by another column than its key
)

// Disorder is the error of a join whose files must be sorted first. It wraps a *source.FileError with the line.
type Disorder struct {
	Source  int // index in the shape
	Problem Problem
	err     *source.FileError
}

func (d *Disorder) Error() string { return d.err.Error() }

func (d *Disorder) Unwrap() error { return d.err }

// disorder returns the error for the row that was read last: its columns, those of its key or of its parent's, have a value that conflicts
// with an earlier one.
func (in *input[K]) disorder(i int, problem Problem, columns shape.Indices, value, earlier K) error {
	form := in.spec.KeyForm
	if in.spec.Parent >= 0 && &columns[0] == &in.spec.ParentKey[0] {
		form = in.spec.ParentForm
	}
	show := func(key K) string {
		if text, ok := any(key).(string); ok {
			return source.ShowKey(in.spec, columns, form, text)
		}
		return fmt.Sprint(key)
	}
	name := in.spec.Names(columns)
	text := fmt.Sprintf("%s %s comes after %s %s", name, show(value), name, show(earlier))
	switch problem {
	case ItemsInterleaved:
		text += ", which belongs to an earlier item"
	case SparseKeys:
		text = fmt.Sprintf("%s %s is too far from the others to keep all of them in memory", name, show(value))
	case ByValue:
		text = fmt.Sprintf("%s %s names the parent by another column than its key", name, show(value))
	}
	return &Disorder{Source: i, Problem: problem, err: &source.FileError{File: in.spec.File, Line: in.reader.Line(), Message: text}}
}
