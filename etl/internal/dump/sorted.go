package dump

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"io"
	"math"

	"systemscale/etl/internal/extsort"
	"systemscale/etl/internal/shape"
	"systemscale/etl/internal/source"
)

// sortedFile is a source's file in another order: the text of a CSV for a source.Reader, and the origin of each record. It is used by
// one goroutine.
type sortedFile struct {
	records int64
	spilled int64 // bytes written to temporary files

	ctx       context.Context // of the reading, too
	count     int
	byItem    bool
	texts     bool   // the items are not ints
	item      string // of the last record, if texts
	multiline bool   // a record may have several lines
	total     source.Total
	rows      *extsort.Sorted
	err       error

	done    int64  // bytes of the file whose records have been read
	pending []byte // text that Read has not returned yet
	origins []source.Origin
	first   int
}

// errSeveralItems is the result of sortOnce if rows of several items have the key of a row's parent. At most one of them is used.
var errSeveralItems = errors.New("several items have the parent")

// sort sorts a source. The context ends the reading of the result, too. If several items have a row that could be the parent, it sorts again,
// and finds out which of these rows are used.
func (o *ordering) sort(ctx context.Context, i int, by order) (*sortedFile, error) {
	sorted, err := o.sortOnce(ctx, i, by)
	if errors.Is(err, errSeveralItems) {
		again := *o
		again.onlyUsed = true
		return again.sortOnce(ctx, i, by)
	}
	return sorted, err
}

func (o *ordering) sortOnce(ctx context.Context, i int, by order) (sorted *sortedFile, err error) {
	sorter := o.sorter(ctx)
	spec := &o.spec.Sources[i]
	sorted = &sortedFile{
		ctx: ctx, byItem: by == byItem, texts: spec.KeyForm != shape.IntKeys, multiline: o.spec.DialectOf(spec).Multiline,
	}
	var payload []byte
	header, total, err := o.records(ctx, i, func(r record) error {
		sorted.records++
		payload = r.append(payload[:0])
		return sorter.Add(r.parentKey, r.line, payload)
	})
	if err != nil {
		return nil, errors.Join(err, sorter.Close())
	}
	rows, err := sorter.Sort()
	if err == nil && by == byItem {
		rows, err = o.sortByItem(ctx, i, rows, sorted)
	}
	if err != nil {
		return nil, err
	}
	written, _ := rows.Spilled()
	sorted.spilled += written
	sorted.total, sorted.rows = total, rows
	if !o.spec.DialectOf(&o.spec.Sources[i]).NoHeader {
		sorted.pending = append(header, '\n')
		sorted.origins = append(sorted.origins, source.Origin{
			Line: 1, Size: int64(len(header)) + 1, Ended: sorted.records > 0 || total.Ended, Lines: 1 + bytes.Count(header, []byte{'\n'}),
		})
	}
	return sorted, nil
}

// sortByItem sorts rows, which are by their parent's key, by item. It closes rows.
func (o *ordering) sortByItem(ctx context.Context, i int, rows *extsort.Sorted, sorted *sortedFile) (*extsort.Sorted, error) {
	defer func() { _ = rows.Close() }()
	written, _ := rows.Spilled()
	sorted.spilled += written
	items, err := o.itemsOf(ctx, i, false)
	if err != nil {
		return nil, err
	}
	defer func() { _ = items.rows.Close() }()
	sorter := o.sorter(ctx)
	byReference := o.spec.Sources[i].ByReference()
	err = eachWithItem(ctx, rows, items, func(item []byte, ambiguous bool, line int64, payload []byte) error {
		switch {
		case ambiguous && byReference:
			payload[headSize-2] |= ambiguousFlag
		case ambiguous && !o.onlyUsed:
			return errSeveralItems
		}
		return sorter.Add(item, line, payload)
	})
	if err != nil {
		return nil, errors.Join(err, sorter.Close())
	}
	return sorter.Sort()
}

// itemsOf returns what names the parent of a source's rows, each with the item that the parent belongs to. If exact, the item exists.
func (o *ordering) itemsOf(ctx context.Context, i int, exact bool) (*itemReader, error) {
	spec := &o.spec.Sources[i]
	if spec.ByReference() {
		// An orphan with the same value would make the value ambiguous.
		return o.items(ctx, spec.Parent, true, nil, func(r *record) []byte { return r.references[spec.Reference] })
	}
	var used *usedRows
	if o.onlyUsed && spec.Parent > 0 {
		var err error
		if used, err = o.usedRows(ctx, spec.Parent); err != nil {
			return nil, err
		}
		defer used.close()
	}
	return o.items(ctx, spec.Parent, exact || o.onlyUsed, used, func(r *record) []byte { return r.key })
}

// items returns a value of each of a source's rows with the item that the row belongs to. Rows without a value and orphans are left out,
// and so are the rows that used does not have.
func (o *ordering) items(ctx context.Context, i int, exact bool, used *usedRows, valueOf func(*record) []byte) (*itemReader, error) {
	values := &itemSorter{sorter: o.sorter(ctx)}
	// The key of a parent in the root source is that of the item.
	if spec := &o.spec.Sources[i]; i == 0 || spec.Parent == 0 && !spec.ByReference() && !exact {
		_, _, err := o.records(ctx, i, func(r record) error {
			if !r.sound {
				return nil // no row has it as its parent
			}
			return values.add(valueOf(&r), r.parentKey, r.line)
		})
		if err != nil {
			return nil, errors.Join(err, values.sorter.Close())
		}
		return values.sort()
	}
	rowSorter := o.sorter(ctx)
	_, _, err := o.records(ctx, i, func(r record) error {
		if !r.sound {
			return nil
		}
		if has, err := used.has(r.line); !has || err != nil {
			return err
		}
		return rowSorter.Add(r.parentKey, r.line, valueOf(&r))
	})
	if err != nil {
		return nil, errors.Join(err, rowSorter.Close(), values.sorter.Close())
	}
	rows, err := rowSorter.Sort()
	if err != nil {
		return nil, errors.Join(err, values.sorter.Close())
	}
	defer func() { _ = rows.Close() }()
	items, err := o.itemsOf(ctx, i, exact)
	if err != nil {
		return nil, errors.Join(err, values.sorter.Close())
	}
	defer func() { _ = items.rows.Close() }()
	err = eachWithItem(ctx, rows, items, func(item []byte, ambiguous bool, line int64, value []byte) error {
		switch {
		case len(item) == 0:
			return nil // the descendants of an orphan are orphans
		case ambiguous && !o.onlyUsed && !o.spec.Sources[i].ByReference():
			return errSeveralItems
		}
		return values.add(value, item, line)
	})
	if err != nil {
		return nil, errors.Join(err, values.sorter.Close())
	}
	return values.sort()
}

// itemSorter sorts values, each with an item, by both.
type itemSorter struct {
	sorter *extsort.Sorter
	pair   []byte
}

// add adds a value unless it is empty. An item that may be an int is the sequence. Any other follows the value in the key, after a zero:
// no value is the beginning of another one that continues with a zero.
func (s *itemSorter) add(value, item []byte, line int64) error {
	switch {
	case len(value) == 0:
		return nil
	case len(item) == extsort.IntSize:
		return s.sorter.Add(value, extsort.Int(item), nil)
	}
	s.pair = append(append(append(s.pair[:0], value...), 0), item...)
	return s.sorter.Add(s.pair, line, binary.LittleEndian.AppendUint16(nil, uint16(len(value))))
}

func (s *itemSorter) sort() (*itemReader, error) {
	rows, err := s.sorter.Sort()
	if err != nil {
		return nil, err
	}
	return &itemReader{rows: rows}, nil
}

// itemReader returns values in order, each with its item.
type itemReader struct {
	rows        *extsort.Sorted
	value, item []byte // the current ones
	ended       bool
}

// next advances to the next value. It sets ended after the last one.
func (r *itemReader) next() error {
	key, sequence, payload, err := r.rows.Next()
	switch {
	case err == io.EOF:
		r.ended = true
		return nil
	case err != nil:
		return err
	case len(payload) == 0:
		r.value, r.item = append(r.value[:0], key...), extsort.AppendInt(r.item[:0], sequence)
		return nil
	}
	length := int(binary.LittleEndian.Uint16(payload))
	r.value, r.item = append(r.value[:0], key[:length]...), append(r.item[:0], key[length+1:]...)
	return nil
}

// eachWithItem merges rows, which are by what names their parent, with the items of the parents, and calls take for each row. The item is
// empty for a row whose parent does not exist; such rows come first. Of parents with the same key the lowest item counts, because the join
// reads it first; ambiguous means that there is another one.
func eachWithItem(ctx context.Context, rows *extsort.Sorted, items *itemReader,
	take func(item []byte, ambiguous bool, line int64, payload []byte) error,
) error {
	if err := items.next(); err != nil {
		return err
	}
	var parent, item []byte // of the last row with a parent
	ambiguous := false
	for count := 0; ; count++ {
		if count%checkEvery == 0 && ctx.Err() != nil {
			return ctx.Err()
		}
		key, line, payload, err := rows.Next()
		if err == io.EOF {
			return nil
		}
		if err != nil {
			return err
		}
		if len(item) == 0 || !bytes.Equal(key, parent) {
			parent, item, ambiguous = append(parent[:0], key...), item[:0], false
			for !items.ended && bytes.Compare(items.value, key) <= 0 {
				switch {
				case !bytes.Equal(items.value, key):
				case len(item) == 0:
					item = append(item, items.item...)
				default:
					ambiguous = ambiguous || !bytes.Equal(items.item, item)
				}
				if err := items.next(); err != nil {
					return err
				}
			}
		}
		if err := take(item, ambiguous, line, payload); err != nil {
			return err
		}
	}
}

// headSize is the length of the fields before the text of a record in a payload: line, offset, size, ended and broken.
const headSize = 8 + 8 + 8 + 2

// The flags of ended.
const endedFlag, ambiguousFlag = 1, 2

func (r record) append(dst []byte) []byte {
	for _, n := range [...]int64{r.line, r.offset, r.size} {
		dst = binary.LittleEndian.AppendUint64(dst, uint64(n))
	}
	ended := byte(0)
	if r.ended {
		ended = endedFlag
	}
	return append(append(dst, ended, byte(r.broken)), r.raw...)
}

// Read reads the text: the header, and the records in their new order, each with a line feed.
func (s *sortedFile) Read(p []byte) (int, error) {
	if len(s.pending) == 0 {
		if s.err != nil {
			return 0, s.err
		}
		if s.count++; s.count%checkEvery == 1 && s.ctx.Err() != nil {
			return 0, s.ctx.Err()
		}
		var item, payload []byte
		if item, _, payload, s.err = s.rows.Next(); s.err != nil {
			return 0, s.err
		}
		origin := source.Origin{
			Line: int64(binary.LittleEndian.Uint64(payload)), Offset: int64(binary.LittleEndian.Uint64(payload[8:])),
			Size: int64(binary.LittleEndian.Uint64(payload[16:])), Ended: payload[24]&endedFlag != 0,
			Ambiguous: payload[24]&ambiguousFlag != 0, Break: source.Break(payload[25]), Lines: 1,
		}
		if s.byItem {
			s.setItem(&origin, item)
		}
		if s.multiline {
			origin.Lines += bytes.Count(payload[headSize:], []byte{'\n'})
		}
		s.origins = append(s.origins, origin)
		s.pending = append(append(s.pending[:0], payload[headSize:]...), '\n')
	}
	n := copy(p, s.pending)
	s.pending = s.pending[n:]
	return n, nil
}

// setItem sets the item of an origin.
func (s *sortedFile) setItem(origin *source.Origin, item []byte) {
	switch {
	case s.texts && string(item) == s.item:
		origin.ItemText = s.item
	case s.texts:
		s.item = string(item)
		origin.ItemText = s.item
	case len(item) == 0:
		origin.Item = math.MinInt64 // before all others: an orphan
	default:
		origin.Item = extsort.Int(item)
	}
}

// Next returns the origin of the next record, in the order of the text.
func (s *sortedFile) Next() source.Origin {
	origin := s.origins[s.first]
	s.first++
	s.done += origin.Size
	if s.first == len(s.origins) {
		s.origins, s.first = s.origins[:0], 0
	}
	return origin
}

// Lines returns the number of lines of the next record.
func (s *sortedFile) Lines() int { return s.origins[s.first].Lines }

// progress returns the share of the file whose records have been read, from 0 to 1.
func (s *sortedFile) progress() float64 { return float64(s.done) / float64(max(s.total.Bytes, 1)) }

// ByItem reports whether origins have the item of a record.
func (s *sortedFile) ByItem() bool { return s.byItem }

// Total describes the whole file.
func (s *sortedFile) Total() source.Total { return s.total }

// Close releases the temporary files.
func (s *sortedFile) Close() error { return s.rows.Close() }
