package dump

import (
	"context"
	"fmt"
	"io"

	"github.com/zeebo/xxh3"

	"systemscale/etl/internal/csvscan"
	"systemscale/etl/internal/extsort"
	"systemscale/etl/internal/lookup"
	"systemscale/etl/internal/shape"
	"systemscale/etl/internal/source"
)

// ordering holds the files of a shape whose rows may need sorting. The files can be read repeatedly.
//
// Rows are sorted on disk, in bounded memory and in temporary files that are unlinked while they are open. The result has every row of
// the file, even a damaged one: a row whose key cannot be read keeps its place after the row before it. Line numbers and offsets are
// those of the file.
type ordering struct {
	spec *shape.Shape
	open []func() (io.ReadCloser, error) // by source, from the beginning
	temp string                          // directory for temporary files; "" is the system's

	early    func(context.Context) (tables []*lookup.Table, done func(), err error) // see Dump
	onlyUsed bool                                                                   // the rows that are rejected or filtered are no parents; see sort
}

// sortMemory is what one sort buffers, in bytes. Of 2 to 32 MiB none was faster than this by more than a tenth (extsort.BenchmarkSort).
const sortMemory = 8 << 20

// checkEvery is the number of records between two checks of the context.
const checkEvery = 1 << 14

func (o *ordering) sorter(ctx context.Context) *extsort.Sorter {
	sorter := extsort.New(o.temp, sortMemory)
	sorter.Context = ctx
	return sorter
}

// record holds the fields of a record for sorting. A key that cannot be read is that of the record before.
type record struct {
	key       []byte // valid until the next record, as the others are
	parentKey []byte // of the root, its key
	sound     bool   // both could be read

	references [][]byte // values of the References of the source; empty if there is none

	line   int64
	offset int64
	size   int64 // with the line end
	ended  bool
	broken source.Break
	raw    []byte
}

// records calls take with every record of a source after the header, in the order of the file. take may not keep raw.
func (o *ordering) records(ctx context.Context, i int, take func(record) error) (header []byte, total source.Total, err error) {
	spec := &o.spec.Sources[i]
	failed := func(err error) error { return fmt.Errorf("sort %s: %w", spec.File, err) }
	file, err := o.open[i]()
	if err != nil {
		return nil, total, failed(err)
	}
	defer func() { _ = file.Close() }() // only read
	hash := xxh3.New()
	dialect := source.Notation(o.spec.DialectOf(spec))
	scanner := csvscan.New(io.TeeReader(file, hash), dialect)
	names := spec.FileColumns()
	if !o.spec.DialectOf(spec).NoHeader {
		names = nil
		if scanner.Scan() {
			header = append(header, scanner.Raw()...)
		}
		for _, field := range scanner.Fields() {
			names = append(names, string(field.Text))
		}
	}
	keys := source.NewRecordKeys(spec, o.spec.DialectOf(spec), names)
	breaks := source.NewBreaks(dialect, keys.Width(), keys.IntFields()...)
	current := record{references: make([][]byte, len(spec.References))}
	for count := 0; scanner.Scan(); count++ {
		if count%checkEvery == 0 && ctx.Err() != nil {
			return nil, total, ctx.Err()
		}
		if current.broken = breaks.Of(scanner); current.broken != source.Continued {
			current.read(keys, scanner.Fields(), spec.Parent < 0)
		}
		current.line, current.offset, current.ended = scanner.Line(), scanner.Offset(), scanner.Ended()
		current.size = scanner.BytesRead() - scanner.Offset()
		current.raw = scanner.Raw()
		if scanner.TooLong() {
			// One more byte, so that the second reading finds it too long, too.
			current.raw = append(append([]byte(nil), current.raw...), '+')
		}
		if err := take(current); err != nil {
			return nil, total, failed(err)
		}
	}
	if err := scanner.Err(); err != nil {
		return nil, total, &source.FileError{
			File: spec.File, Line: scanner.Line(), Message: "the file cannot be read after this line: " + err.Error(), Err: err,
		}
	}
	return header, source.Total{
		Bytes: scanner.BytesRead(), Fingerprint: hash.Sum64(), Lines: scanner.Line(), Ended: scanner.Ended(), Halved: scanner.Halved(),
	}, nil
}

// read reads the keys of a record.
func (r *record) read(keys *source.RecordKeys, fields []csvscan.Field, isRoot bool) {
	r.key, r.sound = keys.Own(r.key, fields)
	if isRoot {
		r.parentKey = append(r.parentKey[:0], r.key...)
	} else {
		found := false
		r.parentKey, found = keys.Parent(r.parentKey, fields)
		r.sound = r.sound && found
	}
	for i := range r.references {
		if value, found := keys.Reference(i, r.references[i], fields); found {
			r.references[i] = value
		} else {
			r.references[i] = r.references[i][:0]
		}
	}
}
