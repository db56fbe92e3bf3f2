package dump

import (
	"bytes"
	"context"
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
