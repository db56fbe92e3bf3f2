// Package extsort sorts more records than fit in memory.
//
// Keys are compared as bytes; AppendInt makes one of an int.
//
// A Sorter buffers records up to a number of bytes. When the buffer is full, it sorts the records and writes them to a temporary
// file as a run. Reading merges the runs. The file is unlinked right after it is created, so it disappears with the process.
// Nothing is written if all records fit in memory.
//
// The limit given to New bounds the memory, except for single records that are larger than a buffer: one such record per merged run
// is held in memory. Adding and reading a record do not allocate. The disk space is that of the payloads and about ten bytes per
// record, and up to twice that if there are more runs than can be merged at once.
//
// A Sorter and its Sorted must be used by one goroutine.
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
	// A block buffers payloads, and later the input of one run. Merging 64 runs through less than
	// 64 KiB each makes the disk seek; more than 256 KiB was no faster (BenchmarkSort).
	maxBlock = 256 << 10
	minBlock = 4 << 10

	// maxFanIn is the number of runs that are merged at once. More runs need several passes.
	maxFanIn = 64

	// The lengths of a payload and of its key, and the rest of the key, are stored before the payload in its block, so an index entry
	// takes only 24 bytes.
	lengthSize = 4 + 2
	entrySize  = 24

	// checkEvery is the number of records that are merged between two checks of the context.
	checkEvery = 1 << 14
	minIndex   = 64
)

// Sorter accepts records in any order.
type Sorter struct {
	// Context cancels Add and Sort while they write or merge runs. It may be nil. It must be set before the first Add.
	Context context.Context

	directory string
	memory    int
	blockSize int
	fanIn     int

	blocks  [][]byte // blocks[:used] hold the payloads of index, the others are free
	used    int
	index   []entry
	held    int // size of blocks and index, in bytes
	ordered bool
	long    bool // some key is not as long as its prefix

	file    *os.File // all runs, one after the other; nil before the first spill
	writer  *bufio.Writer
	written int64
	runs    []section
	spilled int // number of runs that were not merged from others
	header  []byte
}

// entry is a buffered record. It contains no pointer, so the garbage collector does not scan the index.
type entry struct {
	prefix, sequence int64  // prefix is the beginning of the key
	at               uint64 // block << 32 | offset of the payload's length
}

// section is the place of a run in the file.
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

// MaxKey is the length of the longest key, in bytes.
const MaxKey = 1<<16 - 1

// Add adds a record and copies its key and its payload. Records are sorted by key and then by sequence. The sequences of a key's records
// must be different.
func (s *Sorter) Add(key []byte, sequence int64, payload []byte) error {
	if len(key) > MaxKey {
		return fmt.Errorf("a key of %d bytes is longer than %d", len(key), MaxKey)
	}
	prefix, rest := prefixOf(key), restOf(key)
	s.long = s.long || len(key) != IntSize
	size := lengthSize + len(rest) + len(payload)
	if !s.reserve(size, len(s.index) > 0) {
		if err := s.spill(); err != nil {
			return s.failed(err)
		}
		s.reserve(size, false)
	}
	if n := len(s.index); s.ordered && n > 0 {
		last := &s.index[n-1]
		order := cmp.Compare(last.prefix, prefix)
		if order == 0 && s.long {
			rest, length := s.keyRest(*last)
			order = compareRests(rest, restOf(key), length, len(key))
		}
		s.ordered = order < 0 || order == 0 && last.sequence < sequence
	}
	block := &s.blocks[s.used-1]
	s.index = append(s.index, entry{prefix, sequence, uint64(s.used-1)<<32 | uint64(len(*block))})
	*block = binary.LittleEndian.AppendUint32(*block, uint32(len(payload)))
	*block = binary.LittleEndian.AppendUint16(*block, uint16(len(key)))
	*block = append(append(*block, rest...), payload...)
	return nil
}

// reserve makes room for a record of size bytes. If limited, it returns false if that would exceed the memory limit.
func (s *Sorter) reserve(size int, limited bool) bool {
	if old := cap(s.index); len(s.index) == old {
		grown := max(minIndex, 2*old)
		// Both copies exist during the append.
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

// keyRest returns the bytes of the key after its prefix, and the length of the key.
func (s *Sorter) keyRest(e entry) (rest []byte, length int) {
	block := s.blocks[e.at>>32][uint32(e.at):]
	length = int(binary.LittleEndian.Uint16(block[4:]))
	return block[lengthSize:][:max(length-IntSize, 0)], length
}

func (s *Sorter) payload(e entry) []byte {
	block := s.blocks[e.at>>32][uint32(e.at):]
	rest := max(int(binary.LittleEndian.Uint16(block[4:]))-IntSize, 0)
	return block[lengthSize+rest:][:binary.LittleEndian.Uint32(block)]
}

func (s *Sorter) sortIndex() {
	if s.ordered {
		return
	}
	slices.SortFunc(s.index, func(a, b entry) int {
		if order := cmp.Compare(a.prefix, b.prefix); order != 0 {
			return order
		}
		if s.long {
			restOfA, lengthOfA := s.keyRest(a)
			restOfB, lengthOfB := s.keyRest(b)
			if order := compareRests(restOfA, restOfB, lengthOfA, lengthOfB); order != 0 {
				return order
			}
		}
		return cmp.Compare(a.sequence, b.sequence)
	})
}

// spill writes the buffered records as a run and empties the buffer.
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
		rest, length := s.keyRest(e)
		if err := s.write(e.prefix, e.sequence, length, rest, s.payload(e)); err != nil {
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

// write writes a record, whose key is given by its prefix, its length and its rest.
func (s *Sorter) write(prefix, sequence int64, length int, rest, payload []byte) error {
	s.header = binary.AppendVarint(s.header[:0], prefix)
	s.header = binary.AppendVarint(s.header, sequence)
	s.header = binary.AppendUvarint(s.header, uint64(length))
	s.header = binary.AppendUvarint(s.header, uint64(len(payload)))
	s.header = append(s.header, rest...)
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

// Sort returns the records in order. The Sorter must not be used afterwards; close the Sorted instead.
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

// merge merges runs until one merge can read all of them, and starts that merge.
func (s *Sorter) merge() (*merger, error) {
	if len(s.index) > 0 {
		if err := s.spill(); err != nil {
			return nil, err
		}
	}
	// The blocks become the read buffers of the runs.
	s.index, s.blocks = nil, s.blocks[:min(len(s.blocks), s.fanIn)]
	for len(s.runs) > s.fanIn {
		// The oldest runs are the shortest. Merge only as many as necessary, so that as few records as possible are written twice.
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
			if errors.Is(err, io.EOF) {
				break
			}
			if err != nil {
				return nil, err
			}
			if err := s.write(r.prefix, r.sequence, r.length, r.rest, r.payload); err != nil {
				return nil, err
			}
		}
		if err := s.endRun(from); err != nil {
			return nil, err
		}
	}
	return s.newMerger(s.runs)
}

// Close frees the disk space and the memory of a Sorter on which Sort is not called.
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

// Sorted returns the records of a Sorter in order.
type Sorted struct {
	sorter *Sorter
	merged *merger // nil if all records are in memory
	next   int     // index of the next record in memory
	key    []byte  // of the last record
}

// Next returns the next record, or io.EOF after the last one. The key and the payload are valid until the next call.
func (s *Sorted) Next() (key []byte, sequence int64, payload []byte, err error) {
	if s.merged != nil {
		r, err := s.merged.next()
		if errors.Is(err, io.EOF) {
			return nil, 0, nil, io.EOF
		}
		if err != nil {
			return nil, 0, nil, s.sorter.failed(err)
		}
		s.key = appendKey(s.key[:0], r.prefix, r.length, r.rest)
		return s.key, r.sequence, r.payload, nil
	}
	if s.next == len(s.sorter.index) {
		return nil, 0, nil, io.EOF
	}
	e := s.sorter.index[s.next]
	s.next++
	rest, length := s.sorter.keyRest(e)
	s.key = appendKey(s.key[:0], e.prefix, length, rest)
	return s.key, e.sequence, s.sorter.payload(e), nil
}

// Spilled returns the number of bytes written to disk and the number of runs. Both are 0 if all records fitted in memory. Bytes that
// are merged several times count each time.
func (s *Sorted) Spilled() (bytes int64, runs int) { return s.sorter.written, s.sorter.spilled }

// Close frees the disk space and the memory. Next must not be called afterwards.
func (s *Sorted) Close() error { return s.sorter.Close() }
