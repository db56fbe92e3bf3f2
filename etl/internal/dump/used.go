package dump

import (
	"context"
	"io"
	"slices"

	"systemscale/etl/internal/lookup"
	"systemscale/etl/internal/shape"
	"systemscale/etl/internal/source"
)

// usedRows finds the rows of a source that a Reader neither rejects nor filters. They are asked for in the order of the file. Look-ups of
// items do not count: their tables are filled after the files have been sorted.
type usedRows struct {
	reader *source.Reader
	file   io.Closer
	done   func() // removes the look-up tables
	line   int64  // of the last row that was read
	ended  bool
}

func (o *ordering) usedRows(ctx context.Context, i int) (*usedRows, error) {
	spec := o.spec.Sources[i] // the shape stays as it is
	var tables []*lookup.Table
	done := func() {}
	if len(spec.Lookups) > 0 {
		var err error
		if tables, done, err = o.early(ctx); err != nil {
			return nil, err
		}
	}
	spec.Filters = slices.DeleteFunc(slices.Clone(spec.Filters), func(f shape.Filter) bool {
		return slices.ContainsFunc(spec.Lookups, func(l shape.Lookup) bool { return l.Column == f.Column && tables[l.Table] == nil })
	})
	file, err := o.open[i]()
	if err != nil {
		done()
		return nil, err
	}
	// The first reading has checked the header.
	options := source.Options{MissingColumns: true, NoHeader: true}
	reader, err := source.NewReader(file, &spec, o.spec.DialectOf(&o.spec.Sources[i]), source.Discard{}, options)
	if err != nil {
		_ = file.Close() // only read
		done()
		return nil, err
	}
	reader.LookUp(tables)
	return &usedRows{reader: reader, file: file, done: done}, nil
}

// has reports whether the row on a line can be used. A nil usedRows has all rows.
func (u *usedRows) has(line int64) (bool, error) {
	if u == nil {
		return true, nil
	}
	for u.line < line && !u.ended {
		more, err := u.reader.Next()
		if err != nil {
			return false, err
		}
		u.line, u.ended = u.reader.Line(), !more
		u.reader.Release()
	}
	return u.line == line && !u.ended, nil
}

func (u *usedRows) close() {
	if u != nil {
		_ = u.file.Close() // only read
		u.done()
	}
}
