// Package join brings the sources of a shape together: a streaming merge join of all files in
// one pass, which hands out one Tree at a time and keeps no more than that in memory.
//
// It asks of the files what database dumps give: the root is in ascending order of its key, and
// every other file is in the order in which its parents' keys ascend. Within one item rows may
// stand in any order, and keep it. A file that breaks the order ends the join with an error that
// names the line; nothing is ever dropped to keep going. A row whose parent does not exist, or
// whose key its item has already seen, is rejected and counted in its source.
package join

import (
	"fmt"
	"io"
	"math"
	"slices"

	"systemscale/etl/internal/shape"
	"systemscale/etl/internal/source"
)

// Joiner joins sources. It is used by one goroutine.
type Joiner struct {
	inputs []input
	tree   Tree
}

// input is one source on its way through the join.
type input struct {
	reader *source.Reader
	spec   *shape.Source
	slot   int         // place among the parent's children
	row    *source.Row // read and not yet placed; nil at the end of the file

	highestOn    int64 // parent's key seen so far, to tell an orphan from a file out of order
	highestKey   int64 // of this tree, or of those before it while this one has no row
	earlierKey   int64 // the highest key of the trees before
	ascending    bool  // whether the keys of this tree ascend so far
	seen         map[int64]struct{}
	order        []int32 // the rows of this tree by ascending key, when they do not ascend by themselves
	ordered      bool
	parentCursor int
}

// New returns a Joiner. readers are those of the shape's sources, in its order. It reads the first row of each.
func New(sources []shape.Source, readers []*source.Reader) (*Joiner, error) {
	j := &Joiner{inputs: make([]input, len(sources)), tree: newTree(sources)}
	for i := range j.inputs {
		in := &j.inputs[i]
		in.reader, in.spec = readers[i], &sources[i]
		in.highestOn, in.highestKey = math.MinInt64, math.MinInt64
		if in.spec.Parent >= 0 {
			in.slot = slices.Index(sources[in.spec.Parent].Children, i)
		}
		if err := in.advance(); err != nil {
			return nil, err
		}
	}
	return j, nil
}

// Next returns the next item with all its descendants, or io.EOF behind the last one, when every row of
// every file has been read. The tree is valid until the next call.
func (j *Joiner) Next() (*Tree, error) {
	j.tree.reset()
	for i := range j.inputs {
		j.inputs[i].beginTree()
	}
	if err := j.root(); err != nil {
		return nil, err
	}
	for i := 1; i < len(j.inputs); i++ {
		if err := j.collect(i); err != nil {
			return nil, err
		}
	}
	if len(j.tree.levels[0].keys) == 0 {
		return nil, io.EOF
	}
	return &j.tree, nil
}

func (in *input) beginTree() {
	in.earlierKey = in.highestKey
	in.ascending, in.ordered = true, false
	in.parentCursor = 0
	clear(in.seen)
}

func (in *input) advance() error {
	row, err := in.reader.Next()
	if err == io.EOF {
		in.row = nil
		return nil
	}
	in.row = row
	return err
}

// root adds the next root row to the tree, if there is one.
func (j *Joiner) root() error {
	in := &j.inputs[0]
	for in.row != nil {
		var reason source.Reason
		switch {
		case in.row.Key < 1:
			reason = source.KeyNotPositive
		case in.row.Key == in.highestKey:
			reason = source.DuplicateKey
		}
		if reason != "" {
			if err := in.reject(reason, in.spec.Key); err != nil {
				return err
			}
			continue
		}
		if _, err := j.add(0); err != nil {
			return err
		}
		return in.advance()
	}
	return nil
}

// collect adds all rows of a child source whose parent is in the tree.
func (j *Joiner) collect(i int) error {
	in := &j.inputs[i]
	parent := &j.inputs[in.spec.Parent]
	keys := j.tree.levels[in.spec.Parent].keys
	atEnd := len(j.tree.levels[0].keys) == 0
	for in.row != nil {
		if !atEnd && (len(keys) == 0 || in.row.On > parent.highestKey) {
			return nil // the row belongs to a later tree
		}
		parentRow := None
		if len(keys) > 0 {
			parentRow = in.parentRow(parent, keys)
		}
		// The parent may have gone by unless it stands in this tree or its key is above all that have: then there is none.
		if parentRow == None && in.row.On < in.highestOn && in.row.On <= parent.earlierKey {
			return in.reader.Unsorted(in.spec.On, in.row.On, in.highestOn)
		}
		in.highestOn = max(in.highestOn, in.row.On)
		if parentRow == None {
			if err := in.reject(source.Orphan, in.spec.On); err != nil {
				return err
			}
			continue
		}
		if in.duplicate(j.tree.levels[i].keys) {
			if err := in.reject(source.DuplicateKey, in.spec.Key); err != nil {
				return err
			}
			continue
		}
		row, err := j.add(i)
		if err != nil {
			return err
		}
		j.tree.attach(in.spec.Parent, parentRow, in.slot, i, row)
		if err := in.advance(); err != nil {
			return err
		}
	}
	return nil
}

func (in *input) reject(reason source.Reason, column int) error {
	if err := in.reader.Reject(reason, column); err != nil {
		return err
	}
	return in.advance()
}

// add copies the input's row into the tree.
func (j *Joiner) add(i int) (int32, error) {
	in := &j.inputs[i]
	key := in.row.Key
	if len(in.spec.Children) > 0 || i == 0 {
		// Children are found by going forward only, so keys may not go back behind an earlier tree.
		if key <= in.earlierKey {
			return None, in.reader.Unsorted(in.spec.Key, key, in.earlierKey)
		}
	}
	if key > in.highestKey || len(j.tree.levels[i].keys) == 0 {
		in.highestKey = key
	} else {
		in.ascending = false
	}
	in.reader.Use()
	return j.tree.add(i, in.row), nil
}

// duplicate reports whether the tree has a row with the key of the input's row already. Keys nearly always
// ascend, and a key above all others is no duplicate; only where one does not is a set made.
func (in *input) duplicate(keys []int64) bool {
	if len(keys) == 0 || in.row.Key > in.highestKey {
		if len(in.seen) > 0 {
			in.seen[in.row.Key] = struct{}{}
		}
		return false
	}
	if len(in.seen) == 0 {
		if in.seen == nil {
			in.seen = make(map[int64]struct{})
		}
		for _, key := range keys {
			in.seen[key] = struct{}{}
		}
	}
	if _, found := in.seen[in.row.Key]; found {
		return true
	}
	in.seen[in.row.Key] = struct{}{}
	return false
}

// parentRow returns the row of the parent's source, in this tree, whose key is the input's On, or None.
func (in *input) parentRow(parent *input, keys []int64) int32 {
	on := in.row.On
	if !parent.ascending {
		parent.sortRows(keys)
		at, found := slices.BinarySearchFunc(parent.order, on, func(row int32, on int64) int {
			return compare(keys[row], on)
		})
		if !found {
			return None
		}
		return parent.order[at]
	}
	// Rows come nearly always for the same parent as the one before, or for the next.
	for in.parentCursor < len(keys) && keys[in.parentCursor] < on {
		in.parentCursor++
	}
	if in.parentCursor < len(keys) && keys[in.parentCursor] == on {
		return int32(in.parentCursor)
	}
	at, found := slices.BinarySearch(keys, on)
	if !found {
		return None
	}
	in.parentCursor = at
	return int32(at)
}

// sortRows fills order once for each tree.
func (in *input) sortRows(keys []int64) {
	if in.ordered {
		return
	}
	in.ordered = true
	in.order = in.order[:0]
	for row := range keys {
		in.order = append(in.order, int32(row))
	}
	slices.SortFunc(in.order, func(a, b int32) int { return compare(keys[a], keys[b]) })
}

func compare(a, b int64) int {
	switch {
	case a < b:
		return -1
	case a > b:
		return 1
	}
	return 0
}

// Counts returns what became of the rows of each source, in the shape's order. Behind the end of the join, every file reconciles.
func (j *Joiner) Counts() []source.Counts {
	counts := make([]source.Counts, len(j.inputs))
	for i := range j.inputs {
		counts[i] = j.inputs[i].reader.Counts()
	}
	return counts
}

// Reconcile returns an error unless every row of every file is accounted for.
func (j *Joiner) Reconcile() error {
	for i, counts := range j.Counts() {
		if err := counts.Reconcile(); err != nil {
			return fmt.Errorf("source %s: %w", j.inputs[i].spec.Name, err)
		}
	}
	return nil
}
