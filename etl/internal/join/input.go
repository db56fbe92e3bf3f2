package join

import (
	"cmp"
	"fmt"
	"slices"

	"systemscale/etl/internal/shape"
	"systemscale/etl/internal/source"
)

// none means that there is no row, and several that there is more than one.
const none, several int32 = -1, -2

// input is the state of one source in the join.
type input[K int64 | string] struct {
	reader *source.Reader
	keys   source.Keys[K]
	item   func(*source.Reader) K // of the reader's last row, if byItem
	level  *level
	spec   *shape.Source
	slot   int  // place among the parent's children
	more   bool // the last of rows is read and not yet placed; false at the end of the file

	byItem        bool // the reader has the item of each row
	checked       bool // the keys are looked for duplicates
	leaf          bool // without children, so the order of its keys has no meaning
	childrenFound bool // by item, so the keys need not ascend from item to item

	began            bool // a row of the root has been used
	highestParentKey K    // so far, to distinguish an orphan from a file out of order
	highestKey       K    // of this tree, or of those before it while this one has no row
	earlierKey       K    // the highest key of the trees before
	ascending        bool // whether the keys of this tree ascend so far
	seen             keySet[K]
	within           bool    // the same key has the same parent, so seen has the keys of one tree
	order            []int32 // the rows of this tree by ascending key, when they do not ascend by themselves
	ordered          bool
	references       []int32 // the parent's rows of this tree by the value that ParentKey holds, if that is not their key
	referenced       bool
	parentCursor     int
	firsts           map[K]placed // if the source merges rows: the rows of this tree by key
}

// placed is a row of the tree and its parent's.
type placed struct{ row, parent int32 }

func (in *input[K]) advance() (err error) {
	in.more, err = in.reader.Next()
	return err
}

func (in *input[K]) reject(reason source.Reason, columns shape.Indices) error {
	if err := in.reader.Reject(reason, columns...); err != nil {
		return err
	}
	return in.advance()
}

func (in *input[K]) gather(parent *input[K]) {
	if in.level.scattered {
		in.level.gather(parent.level, in.slot)
	}
}

// parentRow returns the row of the parent's source, in this tree, whose key is parentKey, or none.
func (in *input[K]) parentRow(parent *input[K], keys []K, parentKey K) int32 {
	if !parent.ascending {
		parent.sortRows(keys)
		at, found := slices.BinarySearchFunc(parent.order, parentKey, func(row int32, key K) int {
			return cmp.Compare(keys[row], key)
		})
		if !found {
			return none
		}
		return parent.order[at]
	}
	// Nearly every row has the parent of the row before, or the next parent.
	for in.parentCursor < len(keys) && keys[in.parentCursor] < parentKey {
		in.parentCursor++
	}
	if in.parentCursor < len(keys) && keys[in.parentCursor] == parentKey {
		return int32(in.parentCursor)
	}
	at, found := slices.BinarySearch(keys, parentKey)
	if !found {
		return none
	}
	in.parentCursor = at
	return int32(at)
}

// referencedRow returns the row of the parent's source, in this tree, whose reference is a value, or none, or several.
func (in *input[K]) referencedRow(references []K, value K) int32 {
	if !in.referenced {
		in.referenced = true
		in.references = in.references[:0]
		for row := range references {
			in.references = append(in.references, int32(row))
		}
		slices.SortFunc(in.references, func(a, b int32) int { return cmp.Compare(references[a], references[b]) })
	}
	at, found := slices.BinarySearchFunc(in.references, value, func(row int32, value K) int { return cmp.Compare(references[row], value) })
	switch {
	case in.reader.Ambiguous(), found && at+1 < len(in.references) && references[in.references[at+1]] == value:
		return several
	case !found:
		return none
	}
	return in.references[at]
}

// sortRows fills order once for each tree.
func (in *input[K]) sortRows(keys []K) {
	if in.ordered {
		return
	}
	in.ordered = true
	in.order = in.order[:0]
	for row := range keys {
		in.order = append(in.order, int32(row))
	}
	slices.SortFunc(in.order, func(a, b int32) int { return cmp.Compare(keys[a], keys[b]) })
}

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
	case LateKeys:
		text = fmt.Sprintf("%s %s comes so late that the keys about it are no longer in memory", name, show(value))
	case ByValue:
		text = fmt.Sprintf("%s %s names the parent by another column than its key", name, show(value))
	}
	return &Disorder{Source: i, Problem: problem, err: &source.FileError{File: in.spec.File, Line: in.reader.Line(), Message: text}}
}
