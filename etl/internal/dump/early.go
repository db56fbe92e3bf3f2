package dump

import (
	"context"
	"slices"

	"systemscale/etl/internal/lookup"
)

// earlyTables are the look-up tables that can be filled before the files are sorted: those that need no items. They are filled when they are
// used first.
type earlyTables struct {
	of     *Dump
	filled *Dump // nil before the first use
}

// get returns the tables of the shape; those that need items are nil.
func (e *earlyTables) get(ctx context.Context) ([]*lookup.Table, error) {
	if e.filled != nil {
		return e.filled.tables, nil
	}
	e.filled = e.of.copy()
	e.filled.tables = make([]*lookup.Table, len(e.of.spec.Tables))
	for _, r := range readingsOf(e.of.spec) {
		lacks := func(table int) bool {
			return slices.ContainsFunc(e.of.spec.Tables[table].Needs, func(need int) bool { return e.filled.tables[need] == nil })
		}
		if r.Source == 0 || slices.ContainsFunc(r.Tables, lacks) {
			continue
		}
		r.apart = true
		if err := e.filled.fillReading(ctx, r, nil); err != nil {
			return nil, err
		}
	}
	return e.filled.tables, nil
}

func (e *earlyTables) close() {
	if e.filled != nil {
		e.filled.Close()
	}
}
