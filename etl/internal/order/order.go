// Package order puts the rows of a source that do not suit the join into an order that does: sorted stably by the parent's key,
// or, where parents' keys go back and forth between items, by the item that each row belongs to.
//
// Rows are sorted on disk, through temporary files of which nothing is left however the program ends, and in bounded memory.
// Every row of the file is in what comes out, whatever is wrong with it: a row whose key cannot be read stays behind the row that
// stood before it. Line numbers and offsets are those of the file.
package order

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"math"
	"strconv"

	"github.com/zeebo/xxh3"

	"systemscale/etl/internal/csvscan"
	"systemscale/etl/internal/extsort"
	"systemscale/etl/internal/shape"
	"systemscale/etl/internal/source"
)

// Order is what a source must be sorted by.
type Order uint8

const (
	AsItIs   Order = iota
	ByParent       // by the parent's key; the root by its own
	ByItem         // by the key of the item, which is found by way of the parents
)

// Dump is the files of a shape, which can be read again and again.
type Dump struct {
	Shape *shape.Shape
	Open  []func() (io.ReadCloser, error) // by source, from the beginning
	Temp  string                          // directory for temporary files; "" is the system's
}

// sortMemory is what one sort buffers, in bytes. Of 2 to 32 MiB none was faster than this by more than a tenth (extsort.BenchmarkSort).
const sortMemory = 8 << 20

// checkEvery is how many records are read before the context is looked at again.
const checkEvery = 1 << 14

func (d *Dump) sorter(ctx context.Context) *extsort.Sorter {
	sorter := extsort.New(d.Temp, sortMemory)
	sorter.Context = ctx
	return sorter
}

// record is what sorting needs of one.
type record struct {
	key, on int64 // of the root, on is key; what cannot be read is as in the record before
	line    int64
	offset  int64
	size    int64 // with the line end
	ended   bool
	broken  source.Break
	raw     []byte
}

// records calls take with every record of a source behind the header, in the order of the file. take may not keep raw.
func (d *Dump) records(ctx context.Context, i int, take func(record) error) (header []byte, total source.Total, err error) {
	spec := &d.Shape.Sources[i]
	failed := func(err error) error { return fmt.Errorf("sort %s: %w", spec.File, err) }
	file, err := d.Open[i]()
	if err != nil {
		return nil, total, failed(err)
	}
	defer func() { _ = file.Close() }() // only read
	hash := xxh3.New()
	dialect := csvscan.Dialect{Delimiter: d.Shape.Dialect.Delimiter, TrimSpaces: d.Shape.Dialect.TrimSpaces}
	scanner := csvscan.New(io.TeeReader(file, hash), dialect)
	key, on, width := -1, -1, 0
	if scanner.Scan() {
		header = append(header, scanner.Raw()...)
		width = len(scanner.Fields())
		for at, field := range scanner.Fields() {
			if string(field.Text) == spec.Columns[spec.Key].Name {
				key = at
			}
			if spec.ParentKey >= 0 && string(field.Text) == spec.Columns[spec.ParentKey].Name {
				on = at
			}
		}
	}
	if spec.ParentKey < 0 {
		on = key
	}
	breaks := source.NewBreaks(dialect, width, key, on)
	current := record{key: math.MinInt64, on: math.MinInt64}
	for count := 0; scanner.Scan(); count++ {
		if count%checkEvery == 0 && ctx.Err() != nil {
			return nil, total, ctx.Err()
		}
		if current.broken = breaks.Of(scanner); current.broken != source.Continued {
			current.key = number(scanner.Fields(), key, current.key)
			current.on = number(scanner.Fields(), on, current.on)
		}
		current.line, current.offset, current.ended = scanner.Line(), scanner.Offset(), scanner.Ended()
		current.size = scanner.BytesRead() - scanner.Offset()
		current.raw = scanner.Raw()
		if scanner.TooLong() {
			// One byte more, so that it is still too long when it is read again.
			current.raw = append(append([]byte(nil), current.raw...), '+')
		}
		if err := take(current); err != nil {
			return nil, total, failed(err)
		}
	}
	if err := scanner.Err(); err != nil {
		return nil, total, &source.FileError{File: spec.File, Line: scanner.Line(), Message: "the file cannot be read after this line: " + err.Error(), Err: err}
	}
	return header, source.Total{
		Bytes: scanner.BytesRead(), Fingerprint: hash.Sum64(), Lines: scanner.Line(), Ended: scanner.Ended(), Halved: scanner.Halved(),
	}, nil
}

// number returns the int that a field reads, or otherwise.
func number(fields []csvscan.Field, at int, otherwise int64) int64 {
	if at < 0 || at >= len(fields) {
		return otherwise
	}
	n, err := strconv.ParseInt(string(fields[at].Text), 10, 64)
	if err != nil {
		return otherwise
	}
	return n
}

// Examine reads all files once and returns, by source, the order that each must be brought into.
func (d *Dump) Examine(ctx context.Context) ([]Order, error) {
	orders := make([]Order, len(d.Shape.Sources))
	interleaved := make([]bool, len(orders)) // keys go back from item to item
	for i := range orders {
		highest, highestKey, earlierKey := int64(math.MinInt64), int64(math.MinInt64), int64(math.MinInt64)
		_, _, err := d.records(ctx, i, func(r record) error {
			if r.on < highest {
				orders[i] = ByParent
			} else if r.on > highest {
				highest, earlierKey = r.on, highestKey
			}
			interleaved[i] = interleaved[i] || r.key <= earlierKey
			highestKey = max(highestKey, r.key)
			return nil
		})
		if err != nil {
			return nil, err
		}
	}
	for i, s := range d.Shape.Sources {
		// Of a parent that must be sorted itself it is not known how its keys will stand then. Below a source that is found by item,
		// rows can only be found by item too.
		if p := s.Parent; p > 0 && (orders[p] != AsItIs || interleaved[p]) {
			orders[i] = ByItem
		}
	}
	return orders, nil
}

// mostDuplicates is how many lines Duplicates finds at most.
const mostDuplicates = 1 << 20

// Duplicates returns the lines of a source whose key stands on an earlier line too.
func (d *Dump) Duplicates(ctx context.Context, i int) (map[int64]struct{}, error) {
	keys := d.sorter(ctx)
	_, _, err := d.records(ctx, i, func(r record) error { return keys.Add(r.key, r.line, nil) })
	if err != nil {
		return nil, errors.Join(err, keys.Close())
	}
	sorted, err := keys.Sort()
	if err != nil {
		return nil, err
	}
	defer func() { _ = sorted.Close() }()
	lines := map[int64]struct{}{}
	for last, began, count := int64(0), false, 0; ; began, count = true, count+1 {
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
		if began && key == last {
			if len(lines) == mostDuplicates {
				return nil, &source.FileError{File: d.Shape.Sources[i].File, Line: line, Message: fmt.Sprintf("the ids of more than %d rows stand on earlier lines too: is this column the key?", mostDuplicates)}
			}
			lines[line] = struct{}{}
		}
		last = key
	}
}

// Sorted is a source's file in another order: the text of a CSV for a source.Reader, and where each record came from. It is used by
// one goroutine.
type Sorted struct {
	Rows    int64
	Spilled int64 // bytes written to temporary files

	ctx    context.Context // of the reading too, which may take long
	count  int
	byItem bool
	total  source.Total
	rows   *extsort.Sorted
	err    error

	done    int64  // bytes of the file whose records were handed out
	pending []byte // of the text, not yet read
	origins []source.Origin
	first   int
}

// Sort sorts a source. The context ends the reading of what is sorted, too.
func (d *Dump) Sort(ctx context.Context, i int, by Order) (sorted *Sorted, err error) {
	sorter := d.sorter(ctx)
	sorted = &Sorted{ctx: ctx, byItem: by == ByItem}
	var payload []byte
	header, total, err := d.records(ctx, i, func(r record) error {
		sorted.Rows++
		payload = r.append(payload[:0])
		return sorter.Add(r.on, r.line, payload)
	})
	if err != nil {
		return nil, errors.Join(err, sorter.Close())
	}
	rows, err := sorter.Sort()
	if err == nil && by == ByItem {
		rows, err = d.sortByItem(ctx, i, rows, sorted)
	}
	if err != nil {
		return nil, err
	}
	written, _ := rows.Spilled()
	sorted.Spilled += written
	sorted.total, sorted.rows = total, rows
	sorted.pending = append(header, '\n')
	sorted.origins = append(sorted.origins, source.Origin{Line: 1, Size: int64(len(header)) + 1, Ended: sorted.Rows > 0 || total.Ended})
	return sorted, nil
}

// sortByItem sorts rows, which are by their parent's key, by item. It closes rows.
func (d *Dump) sortByItem(ctx context.Context, i int, rows *extsort.Sorted, sorted *Sorted) (*extsort.Sorted, error) {
	defer func() { _ = rows.Close() }()
	written, _ := rows.Spilled()
	sorted.Spilled += written
	items, err := d.items(ctx, d.Shape.Sources[i].Parent)
	if err != nil {
		return nil, err
	}
	defer func() { _ = items.Close() }()
	sorter := d.sorter(ctx)
	err = eachWithItem(ctx, rows, items, func(item, _, line int64, payload []byte) error { return sorter.Add(item, line, payload) })
	if err != nil {
		return nil, errors.Join(err, sorter.Close())
	}
	return sorter.Sort()
}

// items returns the keys of a source's rows, each with the item that its row belongs to, which is the sequence.
func (d *Dump) items(ctx context.Context, i int) (*extsort.Sorted, error) {
	keys := d.sorter(ctx)
	spec := &d.Shape.Sources[i]
	if spec.Parent == 0 {
		if _, _, err := d.records(ctx, i, func(r record) error { return keys.Add(r.key, r.on, nil) }); err != nil {
			return nil, errors.Join(err, keys.Close())
		}
		return keys.Sort()
	}
	byParent := d.sorter(ctx)
	_, _, err := d.records(ctx, i, func(r record) error {
		return byParent.Add(r.on, r.line, binary.LittleEndian.AppendUint64(nil, uint64(r.key)))
	})
	if err != nil {
		return nil, errors.Join(err, byParent.Close(), keys.Close())
	}
	rows, err := byParent.Sort()
	if err != nil {
		return nil, errors.Join(err, keys.Close())
	}
	defer func() { _ = rows.Close() }()
	items, err := d.items(ctx, spec.Parent)
	if err != nil {
		return nil, errors.Join(err, keys.Close())
	}
	defer func() { _ = items.Close() }()
	err = eachWithItem(ctx, rows, items, func(item, _, _ int64, payload []byte) error {
		if item == noItem {
			return nil // what hangs on an orphan is an orphan
		}
		return keys.Add(int64(binary.LittleEndian.Uint64(payload)), item, nil)
	})
	if err != nil {
		return nil, errors.Join(err, keys.Close())
	}
	return keys.Sort()
}

// noItem stands for the item of a row whose parent does not exist. Such rows come first.
const noItem = math.MinInt64

// eachWithItem merges rows, which are by their parent's key, with the items of the parents, and calls take for each row. Of parents
// with the same key the lowest item counts, which the join comes to first.
func eachWithItem(ctx context.Context, rows, items *extsort.Sorted, take func(item, key, sequence int64, payload []byte) error) error {
	parent, item, itemErr := int64(0), int64(0), error(nil)
	next := func() { parent, item, _, itemErr = items.Next() }
	next()
	for count := 0; ; count++ {
		if count%checkEvery == 0 && ctx.Err() != nil {
			return ctx.Err()
		}
		key, sequence, payload, err := rows.Next()
		if err == io.EOF {
			return nil
		}
		if err != nil {
			return err
		}
		for itemErr == nil && parent < key {
			next()
		}
		if itemErr != nil && itemErr != io.EOF {
			return itemErr
		}
		of := int64(noItem)
		if itemErr == nil && parent == key {
			of = item
		}
		if err := take(of, key, sequence, payload); err != nil {
			return err
		}
	}
}

// headSize is what stands before the text of a record in a payload.
const headSize = 8 + 8 + 8 + 2

func (r record) append(dst []byte) []byte {
	for _, n := range [...]int64{r.line, r.offset, r.size} {
		dst = binary.LittleEndian.AppendUint64(dst, uint64(n))
	}
	ended := byte(0)
	if r.ended {
		ended = 1
	}
	return append(append(dst, ended, byte(r.broken)), r.raw...)
}

// Read reads the text: the header, and the records in their new order, each with a line feed.
func (s *Sorted) Read(p []byte) (int, error) {
	if len(s.pending) == 0 {
		if s.err != nil {
			return 0, s.err
		}
		if s.count++; s.count%checkEvery == 1 && s.ctx.Err() != nil {
			return 0, s.ctx.Err()
		}
		var item int64
		var payload []byte
		if item, _, payload, s.err = s.rows.Next(); s.err != nil {
			return 0, s.err
		}
		origin := source.Origin{
			Line: int64(binary.LittleEndian.Uint64(payload)), Offset: int64(binary.LittleEndian.Uint64(payload[8:])),
			Size: int64(binary.LittleEndian.Uint64(payload[16:])), Ended: payload[24] == 1, Break: source.Break(payload[25]), Item: item,
		}
		s.origins = append(s.origins, origin)
		s.pending = append(append(s.pending[:0], payload[headSize:]...), '\n')
	}
	n := copy(p, s.pending)
	s.pending = s.pending[n:]
	return n, nil
}

// Next returns where the next record came from, in the order in which they are read.
func (s *Sorted) Next() source.Origin {
	origin := s.origins[s.first]
	s.first++
	s.done += origin.Size
	if s.first == len(s.origins) {
		s.origins, s.first = s.origins[:0], 0
	}
	return origin
}

// Progress returns which share of the file has been handed out, from 0 to 1.
func (s *Sorted) Progress() float64 { return float64(s.done) / float64(max(s.total.Bytes, 1)) }

// ByItem reports whether origins say which item a record belongs to.
func (s *Sorted) ByItem() bool { return s.byItem }

// Total returns what was read of the file.
func (s *Sorted) Total() source.Total { return s.total }

// Close lets go of the temporary files.
func (s *Sorted) Close() error { return s.rows.Close() }
