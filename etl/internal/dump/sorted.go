package dump

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"io"
	"math"

	"systemscale/etl/internal/extsort"
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
	multiline bool // a record may have several lines
	total     source.Total
	rows      *extsort.Sorted
	err       error

	done    int64  // bytes of the file whose records have been read
	pending []byte // text that Read has not returned yet
	origins []source.Origin
	first   int
}

// sort sorts a source. The context ends the reading of the result, too.
func (o *ordering) sort(ctx context.Context, i int, by order) (sorted *sortedFile, err error) {
	sorter := o.sorter(ctx)
	sorted = &sortedFile{ctx: ctx, byItem: by == byItem, multiline: o.spec.DialectOf(&o.spec.Sources[i]).Multiline}
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
	items, err := o.items(ctx, o.spec.Sources[i].Parent)
	if err != nil {
		return nil, err
	}
	defer func() { _ = items.Close() }()
	sorter := o.sorter(ctx)
	err = eachWithItem(ctx, rows, items, func(item, _, line int64, payload []byte) error { return sorter.Add(item, line, payload) })
	if err != nil {
		return nil, errors.Join(err, sorter.Close())
	}
	return sorter.Sort()
}

// items returns the keys of a source's rows, each with the item that its row belongs to, which is the sequence.
func (o *ordering) items(ctx context.Context, i int) (*extsort.Sorted, error) {
	keys := o.sorter(ctx)
	spec := &o.spec.Sources[i]
	if spec.Parent == 0 {
		if _, _, err := o.records(ctx, i, func(r record) error { return keys.Add(r.key, r.parentKey, nil) }); err != nil {
			return nil, errors.Join(err, keys.Close())
		}
		return keys.Sort()
	}
	rowSorter := o.sorter(ctx)
	_, _, err := o.records(ctx, i, func(r record) error {
		return rowSorter.Add(r.parentKey, r.line, binary.LittleEndian.AppendUint64(nil, uint64(r.key)))
	})
	if err != nil {
		return nil, errors.Join(err, rowSorter.Close(), keys.Close())
	}
	rows, err := rowSorter.Sort()
	if err != nil {
		return nil, errors.Join(err, keys.Close())
	}
	defer func() { _ = rows.Close() }()
	items, err := o.items(ctx, spec.Parent)
	if err != nil {
		return nil, errors.Join(err, keys.Close())
	}
	defer func() { _ = items.Close() }()
	err = eachWithItem(ctx, rows, items, func(item, _, _ int64, payload []byte) error {
		if item == noItem {
			return nil // the descendants of an orphan are orphans
		}
		return keys.Add(int64(binary.LittleEndian.Uint64(payload)), item, nil)
	})
	if err != nil {
		return nil, errors.Join(err, keys.Close())
	}
	return keys.Sort()
}

// noItem is the item of a row whose parent does not exist. Such rows come first.
const noItem = math.MinInt64

// eachWithItem merges rows, which are by their parent's key, with the items of the parents, and calls take for each row. Of parents
// with the same key the lowest item counts, because the join reads it first.
func eachWithItem(ctx context.Context, rows, items *extsort.Sorted, take func(item, key, sequence int64, payload []byte) error) error {
	var parent, item int64
	var itemErr error
	ended := false
	next := func() {
		var err error
		parent, item, _, err = items.Next()
		if err == io.EOF {
			ended = true
			return
		}
		itemErr = err
	}
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
		for !ended && itemErr == nil && parent < key {
			next()
		}
		if itemErr != nil {
			return itemErr
		}
		of := int64(noItem)
		if !ended && parent == key {
			of = item
		}
		if err := take(of, key, sequence, payload); err != nil {
			return err
		}
	}
}

// headSize is the length of the fields before the text of a record in a payload: line, offset, size, ended and broken.
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
func (s *sortedFile) Read(p []byte) (int, error) {
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
			Lines: 1,
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
