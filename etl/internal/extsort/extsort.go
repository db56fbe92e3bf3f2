// Package extsort sorts more records than fit in memory.
//
// Records are buffered up to a number of bytes; what does not fit is sorted and spilled to one temporary file as a run,
// and the runs are merged as they are read back. The file is unlinked as soon as it is created, so that nothing is left of
// it however the program ends. What fits in memory is never written.
//
// Memory is bounded by the number given to New, whatever is sorted, but for single records that are larger than a buffer:
// those are held whole, one for each run that is being merged. Adding and reading allocate nothing for a record. Disk space
// is that of the payloads and some ten bytes for each, and at most the same again when there are more runs than are merged
// at once.
//
// A Sorter and its Sorted are used by one goroutine.
package extsort

import (
	"bufio"
	"cmp"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"os"
	"slices"
)

const (
	// A block is what payloads are buffered in and what one run is read through. Merging 64 runs through less than
	// 64 KiB each makes the disk seek; more than 256 KiB brought nothing (BenchmarkSort).
	maxBlock = 256 << 10
	minBlock = 4 << 10

	// maxFanIn is how many runs are merged at once. More are first merged to fewer.
	maxFanIn = 64

	// A payload's length stands before it in its block, which keeps the index at 24 bytes a record.
	lengthSize = 4
	entrySize  = 24

	// checkEvery is how many records are merged before the context is looked at again.
	checkEvery = 1 << 14
	minIndex   = 64
)

// Sorter takes records in any order.
type Sorter struct {
	// Context ends Add and Sort while they write or merge runs. It may be nil, and is set before the first Add.
	Context context.Context

	directory string
	memory    int
	blockSize int
	fanIn     int

	blocks  [][]byte // the first used ones hold the payloads of index; the others wait
	used    int
	index   []entry
	held    int // bytes of blocks and index
	ordered bool

	file    *os.File // of all runs, one behind the other; nil until something is spilled
	writer  *bufio.Writer
	written int64
	runs    []section
	spilled int // runs, without those that were made of other runs
	header  []byte
}

// entry is a buffered record. It holds no pointer, so that the garbage collector does not look at a million of them.
type entry struct {
	key, sequence int64
	at            uint64 // block << 32 | offset of the payload's length
}

// section is where a run stands in the file.
type section struct{ from, to int64 }

// New returns a Sorter that buffers up to memory bytes and spills the rest to a file in directory.
func New(directory string, memory int) *Sorter {
	blockSize := min(max(memory/(2*maxFanIn), minBlock), maxBlock)
	return &Sorter{
		directory: directory, memory: memory, ordered: true,
		blockSize: blockSize,
		fanIn:     min(max(memory/blockSize-1, 2), maxFanIn),
	}
}

// Add adds a record. It copies the payload. Records come out in the order of key and, for equal keys, of sequence, which
// must be different for every record of a key.
func (s *Sorter) Add(key, sequence int64, payload []byte) error {
	size := lengthSize + len(payload)
	if !s.reserve(size, len(s.index) > 0) {
		if err := s.spill(); err != nil {
			return s.failed(err)
		}
		s.reserve(size, false)
	}
	if n := len(s.index); s.ordered && n > 0 {
		last := &s.index[n-1]
		s.ordered = last.key < key || last.key == key && last.sequence < sequence
	}
	block := &s.blocks[s.used-1]
	s.index = append(s.index, entry{key, sequence, uint64(s.used-1)<<32 | uint64(len(*block))})
	*block = append(binary.LittleEndian.AppendUint32(*block, uint32(len(payload))), payload...)
	return nil
}

// reserve makes room for one more record of size bytes, or reports that it would take more than the memory. A record that
// is alone is never refused.
func (s *Sorter) reserve(size int, limited bool) bool {
	if old := cap(s.index); len(s.index) == old {
		grown := max(minIndex, 2*old)
		// Old and new are both there while one is copied to the other.
		if limited && s.held+grown*entrySize > s.memory {
			return false
		}
		s.index = append(make([]entry, 0, grown), s.index...)
		s.held += (grown - old) * entrySize
	}
	if s.used > 0 {
		if block := s.blocks[s.used-1]; len(block)+size <= cap(block) {
			return true
		}
	}
	if s.used < len(s.blocks) && size <= s.blockSize {
		s.used++
		return true
	}
	capacity := max(s.blockSize, size)
	if limited && s.held+capacity > s.memory {
		return false
	}
	s.blocks = slices.Insert(s.blocks, s.used, make([]byte, 0, capacity))
	s.used++
	s.held += capacity
	return true
}

func (s *Sorter) payload(e entry) []byte {
	block := s.blocks[e.at>>32][uint32(e.at):]
	return block[lengthSize:][:binary.LittleEndian.Uint32(block)]
}

func (s *Sorter) sortIndex() {
	if s.ordered {
		return
	}
	slices.SortFunc(s.index, func(a, b entry) int {
		if order := cmp.Compare(a.key, b.key); order != 0 {
			return order
		}
		return cmp.Compare(a.sequence, b.sequence)
	})
}

// spill writes what is buffered as a run, and empties the buffer.
func (s *Sorter) spill() error {
	if err := s.stopped(); err != nil {
		return err
	}
	if s.file == nil {
		file, err := os.CreateTemp(s.directory, "sort-*")
		if err != nil {
			return err
		}
		s.file, s.writer = file, bufio.NewWriterSize(file, s.blockSize)
		if err := os.Remove(file.Name()); err != nil {
			return err
		}
	}
	s.sortIndex()
	from := s.written
	for _, e := range s.index {
		if err := s.write(e.key, e.sequence, s.payload(e)); err != nil {
			return err
		}
	}
	if err := s.endRun(from); err != nil {
		return err
	}
	s.spilled++
	s.index, s.used, s.ordered = s.index[:0], 0, true
	s.held = cap(s.index) * entrySize
	s.blocks = slices.DeleteFunc(s.blocks, func(block []byte) bool { return cap(block) != s.blockSize })
	for i := range s.blocks {
		s.blocks[i] = s.blocks[i][:0]
		s.held += s.blockSize
	}
	return nil
}

func (s *Sorter) stopped() error {
	if s.Context == nil {
		return nil
	}
	return s.Context.Err()
}

func (s *Sorter) write(key, sequence int64, payload []byte) error {
	s.header = binary.AppendVarint(s.header[:0], key)
	s.header = binary.AppendVarint(s.header, sequence)
	s.header = binary.AppendUvarint(s.header, uint64(len(payload)))
	s.written += int64(len(s.header) + len(payload))
	if _, err := s.writer.Write(s.header); err != nil {
		return err
	}
	_, err := s.writer.Write(payload)
	return err
}

func (s *Sorter) endRun(from int64) error {
	s.runs = append(s.runs, section{from, s.written})
	return s.writer.Flush()
}

// Sort ends the adding and returns the records in order. The Sorter is not to be used behind it; Close the Sorted instead.
func (s *Sorter) Sort() (*Sorted, error) {
	if s.file == nil {
		s.sortIndex()
		return &Sorted{sorter: s}, nil
	}
	merged, err := s.merge()
	if err != nil {
		return nil, errors.Join(s.failed(err), s.Close())
	}
	return &Sorted{sorter: s, merged: merged}, nil
}

// merge begins the last merge, after as many others as that needs.
func (s *Sorter) merge() (*merger, error) {
	if len(s.index) > 0 {
		if err := s.spill(); err != nil {
			return nil, err
		}
	}
	// The blocks become the buffers that the runs are read through.
	s.index, s.blocks = nil, s.blocks[:min(len(s.blocks), s.fanIn)]
	for len(s.runs) > s.fanIn {
		// The oldest are the shortest. So few that the last merge takes all that are left: the rest is not moved twice.
		count := min(s.fanIn, len(s.runs)-s.fanIn+1)
		m, err := s.newMerger(s.runs[:count])
		if err != nil {
			return nil, err
		}
		s.runs = s.runs[count:]
		from := s.written
		for merged := 0; ; merged++ {
			if merged%checkEvery == 0 {
				if err := s.stopped(); err != nil {
					return nil, err
				}
			}
			r, err := m.next()
			if err == io.EOF {
				break
			}
			if err != nil {
				return nil, err
			}
			if err := s.write(r.key, r.sequence, r.payload); err != nil {
				return nil, err
			}
		}
		if err := s.endRun(from); err != nil {
			return nil, err
		}
	}
	return s.newMerger(s.runs)
}

// Close lets go of the file of a Sorter that is not sorted after all.
func (s *Sorter) Close() error {
	s.blocks, s.index = nil, nil
	if s.file == nil {
		return nil
	}
	err := s.file.Close()
	s.file = nil
	return err
}

func (s *Sorter) failed(err error) error {
	return fmt.Errorf("sort in %s: %w; --temp names another directory, on a disk with more room", s.directory, err)
}

// Sorted hands out the records of a Sorter in order.
type Sorted struct {
	sorter *Sorter
	merged *merger // nil when all are in memory
	next   int     // of those in memory
}

// Next returns the next record, or io.EOF behind the last one. The payload is valid until the next call.
func (s *Sorted) Next() (key, sequence int64, payload []byte, err error) {
	if s.merged != nil {
		r, err := s.merged.next()
		if err == io.EOF {
			return 0, 0, nil, io.EOF
		}
		if err != nil {
			return 0, 0, nil, s.sorter.failed(err)
		}
		return r.key, r.sequence, r.payload, nil
	}
	if s.next == len(s.sorter.index) {
		return 0, 0, nil, io.EOF
	}
	e := s.sorter.index[s.next]
	s.next++
	return e.key, e.sequence, s.sorter.payload(e), nil
}

// Spilled returns how many bytes were written to disk, and in how many runs; both are 0 when all fitted in memory. A byte
// that was merged more than once counts each time.
func (s *Sorted) Spilled() (bytes int64, runs int) { return s.sorter.written, s.sorter.spilled }

// Close frees the disk space and the memory. Next is not to be called behind it.
func (s *Sorted) Close() error { return s.sorter.Close() }
