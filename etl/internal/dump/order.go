package dump

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"

	"systemscale/etl/internal/source"
)

// order is the order of the rows that the join needs.
type order uint8

const (
	asIs     order = iota
	byParent       // by the parent's key; the root by its own
	byItem         // by the key of the item, which the parents lead to
)

// examine reads all files once and returns, by source, the order that each must be brought into.
func (o *ordering) examine(ctx context.Context) ([]order, error) {
	orders := make([]order, len(o.spec.Sources)) // the look-up sources stay as they are
	interleaved := make([]bool, len(orders))     // keys go back from item to item
	for i := range o.spec.Tree() {
		var highest, highestKey, earlierKey []byte
		_, _, err := o.records(ctx, i, func(r record) error {
			switch order := bytes.Compare(r.parentKey, highest); {
			case order < 0:
				orders[i] = byParent
			case order > 0:
				highest, earlierKey = append(highest[:0], r.parentKey...), append(earlierKey[:0], highestKey...)
			}
			interleaved[i] = interleaved[i] || bytes.Compare(r.key, earlierKey) <= 0
			if bytes.Compare(r.key, highestKey) > 0 {
				highestKey = append(highestKey[:0], r.key...)
			}
			return nil
		})
		if err != nil {
			return nil, err
		}
	}
	for i, s := range o.spec.Sources {
		// The order of the keys of a parent that must itself be sorted is not known yet. Below a source that is sorted by item,
		// rows can only be sorted by item, too. References have another order than keys.
		if p := s.Parent; s.ByReference() || p > 0 && (orders[p] != asIs || interleaved[p]) {
			orders[i] = byItem
		}
	}
	return orders, nil
}

// maxDuplicates is the maximum number of lines that duplicates returns.
const maxDuplicates = 1 << 20

// duplicates returns the lines of a source whose key is also on an earlier line.
func (o *ordering) duplicates(ctx context.Context, i int) (map[int64]struct{}, error) {
	keys := o.sorter(ctx)
	_, _, err := o.records(ctx, i, func(r record) error { return keys.Add(r.key, r.line, nil) })
	if err != nil {
		return nil, errors.Join(err, keys.Close())
	}
	sorted, err := keys.Sort()
	if err != nil {
		return nil, err
	}
	defer func() { _ = sorted.Close() }()
	lines := map[int64]struct{}{}
	var last []byte
	for began, count := false, 0; ; began, count = true, count+1 {
		if count%checkEvery == 0 && ctx.Err() != nil {
			return nil, ctx.Err()
		}
		key, line, _, err := sorted.Next()
		if err == io.EOF {
			return lines, nil
		}
		if err != nil {
			return nil, err
		}
		if began && bytes.Equal(key, last) {
			if len(lines) == maxDuplicates {
				return nil, &source.FileError{File: o.spec.Sources[i].File, Line: line, Message: fmt.Sprintf(
					"the ids of more than %d rows are also on earlier lines: is this column the key?", maxDuplicates)}
			}
			lines[line] = struct{}{}
		}
		last = append(last[:0], key...)
	}
}
