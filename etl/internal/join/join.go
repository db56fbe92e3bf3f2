// Package join joins the sources of a shape: a streaming merge join of all files in one pass, which returns one Tree at a time and
// keeps only that in memory.
//
// The files must be in the order of a database dump: the root in ascending order of its key, and every other file in ascending order of
// its parents' keys. Within one item, rows may be in any order, and keep it. A file in another order ends the join with a *Disorder, which
// has the problem; no row is dropped to continue. Two problems are no matter of order: the next join with the same Keys has what this one
// lacked. A row whose parent does not exist, or whose key was on an earlier row of its file, is rejected and counted in its source.
package join

import (
	"context"
	"errors"
	"fmt"
	"io"
	"math"
	"slices"

	"systemscale/etl/internal/shape"
	"systemscale/etl/internal/source"
)

// Joiner joins sources. It is used by one goroutine.
type Joiner struct {
	// Observe is called for every used row, which is its Reader's last row. It may be nil.
	Observe func(source int, reader *source.Reader)

	readers []*source.Reader
	tree    Tree
	keys    *Keys
	joiner  interface {
		next() error
		finish() error
		close()
	}
}

// joiner is a Joiner of keys of one type.
type joiner[K int64 | string] struct {
	*Joiner
	inputs []input[K]
}

// New returns a Joiner. readers are those of the shape's sources, in its order. It reads the first row of each. Close must be called if
// the error is nil.
func New(sources []shape.Source, readers []*source.Reader, options Options) (*Joiner, error) {
	if options.Context == nil {
		options.Context = context.Background()
	}
	if options.Keys == nil {
		options.Keys = NewKeys()
	}
	if options.bounds == (bounds{}) {
		options.bounds = defaultBounds
	}
	j := &Joiner{readers: readers, tree: newTree(sources, readers), keys: options.Keys}
	if sources[0].KeyForm == shape.IntKeys {
		ints := newJoiner(j, sources, (*source.Rows).IntKeys, (*source.Reader).Item, func(i int) keySet[int64] {
			newRecord := func() *recordSet[int64] { return newRecordSet(&options, i, (*Keys).hashInt) }
			return newIntSet(newRecord, options.Keys.isWatched(i))
		})
		ints.setLeast(math.MinInt64)
		j.joiner = ints
		return j, ints.begin()
	}
	texts := newJoiner(j, sources, (*source.Rows).TextKeys, (*source.Reader).ItemText, func(i int) keySet[string] {
		newRecord := func() *recordSet[string] { return newRecordSet(&options, i, (*Keys).hashText) }
		return newTextSet(options.bounds, newRecord, options.Keys.recorded || options.Keys.isWatched(i))
	})
	j.joiner = texts
	return j, texts.begin()
}

func newJoiner[K int64 | string](j *Joiner, sources []shape.Source, keys func(*source.Rows) source.Keys[K], item func(*source.Reader) K,
	newSet func(source int) keySet[K],
) *joiner[K] {
	typed := &joiner[K]{Joiner: j, inputs: make([]input[K], len(sources))}
	for i := range typed.inputs {
		in := &typed.inputs[i]
		in.reader, in.spec, in.level, in.item, in.seen = j.readers[i], &sources[i], &j.tree.levels[i], item, newSet(i)
		in.keys = keys(in.level.rows)
		in.byItem, in.checked = in.reader.ByItem(), len(in.spec.Key) > 0
		in.within = in.spec.Parent >= 0
		for _, column := range in.spec.ParentKey {
			in.within = in.within && slices.Contains(in.spec.Key, column)
		}
		if in.spec.Merge {
			in.firsts = map[K]placed{}
		}
		in.leaf, in.childrenFound = i > 0 && len(in.spec.Children) == 0, i > 0
		for _, child := range in.spec.Children {
			in.childrenFound = in.childrenFound && j.readers[child].ByItem()
		}
		if in.spec.Parent >= 0 {
			in.slot = slices.Index(sources[in.spec.Parent].Children, i)
		}
	}
	return typed
}

// setLeast sets what is not above any key.
func (j *joiner[K]) setLeast(least K) {
	for i := range j.inputs {
		j.inputs[i].highestParentKey, j.inputs[i].highestKey = least, least
	}
}

// begin reads the first row of each source.
func (j *joiner[K]) begin() error {
	for i := range j.inputs {
		in := &j.inputs[i]
		if err := in.advance(); err != nil {
			return err
		}
		if in.more && in.spec.ByReference() && !in.byItem {
			return in.disorder(i, ByValue, in.spec.ParentKey, in.keys.LastParent(), in.highestParentKey)
		}
	}
	return nil
}

// Next returns the next item with all its descendants, or io.EOF after the last one, when every row of every file has been read. The
// tree is valid until the next call. The error is a *Disorder if the files are not in an order that can be joined.
func (j *Joiner) Next() (*Tree, error) {
	if err := j.joiner.next(); err != nil {
		return nil, err
	}
	if j.tree.levels[0].size == 0 {
		if err := j.joiner.finish(); err != nil {
			return nil, err
		}
		return nil, io.EOF
	}
	return &j.tree, nil
}

// Close frees the temporary files. Counts can still be called.
func (j *Joiner) Close() { j.joiner.close() }

// finish returns a *Disorder if rows were used although their keys were on earlier rows.
func (j *joiner[K]) finish() error {
	first := -1
	for i := range j.inputs {
		in := &j.inputs[i]
		repeated, err := in.seen.finish()
		if errors.Is(err, errMostWatched) {
			return &source.FileError{File: in.spec.File, Message: err.Error()}
		}
		if err != nil {
			return err
		}
		if repeated && first < 0 {
			first = i
		}
	}
	if first < 0 {
		return nil
	}
	in := &j.inputs[first]
	return &Disorder{Source: first, Problem: RepeatedKeys, err: &source.FileError{
		File: in.spec.File, Message: fmt.Sprintf("rows have the %s of rows far before them", in.spec.Names(in.spec.Key)),
	}}
}

func (j *joiner[K]) close() {
	for i := range j.inputs {
		j.inputs[i].seen.close()
	}
}

// next makes the next tree, which is empty after the last one.
func (j *joiner[K]) next() error {
	j.tree.number++
	for i := range j.inputs {
		in := &j.inputs[i]
		in.reader.Release()
		in.level.reset()
		in.earlierKey = in.highestKey
		in.ascending, in.ordered, in.referenced = true, false, false
		in.parentCursor = 0
		clear(in.firsts)
		if in.within {
			in.seen.clear()
		}
	}
	if err := j.root(); err != nil {
		return err
	}
	for i := 1; i < len(j.inputs); i++ {
		if err := j.collect(i); err != nil {
			return err
		}
	}
	return nil
}

// Watch sets a function that is called each time an item has grown by some hundred rows of a source, or by much text. It gets the Reader
// of that source, which is at its last row, and the unfinished tree, whose rows have neither parents nor places yet. If it returns an
// error, Next returns it. For most items it is not called.
func (j *Joiner) Watch(grown func(reader *source.Reader, tree *Tree) error) {
	for _, reader := range j.readers {
		reader.Watch(func() error { return grown(reader, &j.tree) })
	}
}

// Held returns the approximate memory, in bytes, of the rows of the item.
func (j *Joiner) Held() int64 {
	var held int64
	for i, reader := range j.readers {
		level := &j.tree.levels[i]
		const perChild = 8
		held += reader.Held() + int64(level.size)*int64(perChild*len(level.children))
	}
	return held
}

// root adds the next root row to the tree, if there is one.
func (j *joiner[K]) root() error {
	in := &j.inputs[0]
	for in.more {
		key := in.keys.Last()
		switch {
		case key > in.highestKey || !in.began:
			in.began = true
			if err := j.use(0, key); err != nil {
				return err
			}
			return j.mergeRoot(key)
		case key < in.highestKey:
			return in.disorder(0, Unsorted, in.spec.Key, key, in.highestKey)
		}
		if err := in.reject(source.DuplicateKey, in.spec.Key); err != nil {
			return err
		}
	}
	return nil
}

// mergeRoot merges the next root rows with the same key into the tree's, if the shape says so.
func (j *joiner[K]) mergeRoot(key K) error {
	in := &j.inputs[0]
	for in.spec.Merge && in.more && in.keys.Last() == key {
		if err := j.merge(0, 0); err != nil {
			return err
		}
	}
	return nil
}

// merge merges the input's row into a row of the tree and reads the next.
func (j *joiner[K]) merge(i int, row int32) error {
	in := &j.inputs[i]
	if j.Observe != nil {
		j.Observe(i, in.reader)
	}
	in.reader.Merge(row)
	return in.advance()
}

// collect adds all rows of a child source whose parent is in the tree.
func (j *joiner[K]) collect(i int) error {
	in := &j.inputs[i]
	parent := &j.inputs[in.spec.Parent]
	keys := parent.keys.All()[:parent.level.size]
	if in.spec.ByReference() {
		keys = parent.keys.References(in.spec.Reference)[:parent.level.size]
	}
	atEnd := j.tree.levels[0].size == 0
	for in.more {
		parentKey := in.keys.LastParent()
		switch {
		case atEnd:
		case in.byItem && in.item(in.reader) > j.inputs[0].keys.All()[0], !in.byItem && (len(keys) == 0 || parentKey > parent.highestKey):
			in.gather(parent)
			return nil // the row belongs to a later tree
		}
		parentRow := none
		switch {
		case len(keys) == 0:
		case in.spec.ByReference():
			parentRow = in.referencedRow(keys, parentKey)
		default:
			parentRow = in.parentRow(parent, keys, parentKey)
		}
		// If the parent could have been in an earlier tree, the file is unsorted; otherwise the row is an orphan.
		if parentRow == none && parentKey < in.highestParentKey && parentKey <= parent.earlierKey && !in.byItem {
			return in.disorder(i, Unsorted, in.spec.ParentKey, parentKey, in.highestParentKey)
		}
		in.highestParentKey = max(in.highestParentKey, parentKey)
		if parentRow < 0 {
			reason := source.Orphan
			if parentRow == several {
				reason = source.Ambiguous
			}
			if err := in.reject(reason, in.spec.ParentKey); err != nil {
				return err
			}
			continue
		}
		if err := j.children(i, parentKey, parentRow); err != nil {
			return err
		}
	}
	in.gather(parent)
	return nil
}

// children adds the next rows of a source, as long as they have the same parent, which is parentRow.
func (j *joiner[K]) children(i int, parentKey K, parentRow int32) error {
	in := &j.inputs[i]
	from := in.level.size
	for in.more && in.keys.LastParent() == parentKey {
		key := in.keys.Last()
		if in.spec.Merge {
			if first, known := in.firsts[key]; known && first.parent == parentRow {
				if err := j.merge(i, first.row); err != nil {
					return err
				}
				continue
			}
		}
		found, full := false, false
		if in.checked {
			found, full = in.seen.add(key)
		}
		if found {
			if err := in.reject(source.DuplicateKey, in.spec.Key); err != nil {
				return err
			}
			continue
		}
		if !in.childrenFound && key <= in.earlierKey {
			if !in.seen.suspect(key) {
				return in.disorder(i, ItemsInterleaved, in.spec.Key, key, in.earlierKey)
			}
			// If it is a duplicate, the next join rejects it, too.
			if err := in.reject(source.DuplicateKey, in.spec.Key); err != nil {
				return err
			}
			continue
		}
		if full {
			return j.full(i, key)
		}
		if in.spec.Merge {
			in.firsts[key] = placed{int32(in.level.size), parentRow}
		}
		if err := j.use(i, key); err != nil {
			return err
		}
	}
	if in.level.size > from {
		in.level.attach(from, j.inputs[in.spec.Parent].level, parentRow, in.slot)
	}
	return nil
}

// full returns the error for a key that the source's set has no room for.
func (j *joiner[K]) full(i int, key K) error {
	in := &j.inputs[i]
	if err := in.seen.err(); err != nil {
		return err
	}
	j.keys.recorded = true
	return in.disorder(i, LateKeys, in.spec.Key, key, in.highestKey)
}

// use adds the input's row to the tree and reads the next.
func (j *joiner[K]) use(i int, key K) error {
	in := &j.inputs[i]
	if j.Observe != nil {
		j.Observe(i, in.reader)
	}
	switch {
	case in.leaf:
	case key > in.highestKey || in.level.size == 0:
		in.highestKey = key
	default:
		in.ascending = false
	}
	in.level.add()
	return in.advance()
}

// Counts returns the counts of each source, in the shape's order. After the end of the join, no row is unreconciled.
func (j *Joiner) Counts() []source.Counts {
	counts := make([]source.Counts, len(j.readers))
	for i, reader := range j.readers {
		counts[i] = reader.Counts()
	}
	return counts
}
