package extsort

import (
	"encoding/binary"
	"errors"
	"io"
	"os"
)

// maxHeader is the maximal size of a record's header in a run: prefix and length of the key, sequence, and length of the payload.
const maxHeader = 4 * binary.MaxVarintLen64

var errRun = errors.New("the temporary file is damaged: it does not contain the data written to it")

// merger merges runs with a loser tree, which needs log2(runs) comparisons per record.
type merger struct {
	runs    []run
	losers  []int // by node; 0 is the winner
	started bool
}

func (s *Sorter) newMerger(sections []section) (*merger, error) {
	m := &merger{runs: make([]run, len(sections)), losers: make([]int, len(sections))}
	for i, section := range sections {
		if i == len(s.blocks) {
			s.blocks = append(s.blocks, make([]byte, 0, s.blockSize))
		}
		m.runs[i] = run{file: s.file, section: section, buffer: s.blocks[i][:s.blockSize]}
		if err := m.runs[i].next(); err != nil {
			return nil, err
		}
	}
	for i := range m.losers {
		m.losers[i] = -1
	}
	for i := range m.runs {
		m.replay(i)
	}
	return m, nil
}

// replay compares a run, after it has advanced, with the losers on its path to the root.
func (m *merger) replay(winner int) {
	for node := (winner + len(m.runs)) / 2; node > 0; node /= 2 {
		other := m.losers[node]
		if other < 0 { // while the tree is being built, the first run waits for its opponent
			m.losers[node] = winner
			return
		}
		if m.runs[other].before(&m.runs[winner]) {
			m.losers[node], winner = winner, other
		}
	}
	m.losers[0] = winner
}

// next returns the run whose current record is the next one, or io.EOF.
func (m *merger) next() (*run, error) {
	if m.started {
		last := m.losers[0]
		if err := m.runs[last].next(); err != nil {
			return nil, err
		}
		m.replay(last)
	}
	m.started = true
	if r := &m.runs[m.losers[0]]; !r.ended {
		return r, nil
	}
	return nil, io.EOF
}

// run reads a run. It holds the current record.
type run struct {
	prefix, sequence int64
	length           int    // of the key
	rest             []byte // of the key
	payload          []byte
	ended            bool

	file        *os.File
	section     section // the unread part
	buffer      []byte
	start, stop int // the unread part of the buffer is buffer[start:stop]
}

func (r *run) before(other *run) bool {
	switch {
	case r.ended || other.ended:
		return !r.ended
	case r.prefix != other.prefix:
		return r.prefix < other.prefix
	case r.length != IntSize || other.length != IntSize:
		if order := compareRests(r.rest, other.rest, r.length, other.length); order != 0 {
			return order < 0
		}
	}
	return r.sequence < other.sequence
}

// next advances to the next record. It sets ended after the last one.
func (r *run) next() error {
	if err := r.fill(maxHeader); err != nil {
		return err
	}
	if r.start == r.stop {
		r.ended, r.payload = true, nil
		return nil
	}
	var sizes [4]int
	var keyLength, length uint64
	at := r.start
	r.prefix, sizes[0] = binary.Varint(r.buffer[at:r.stop])
	at += max(sizes[0], 0)
	r.sequence, sizes[1] = binary.Varint(r.buffer[at:r.stop])
	at += max(sizes[1], 0)
	keyLength, sizes[2] = binary.Uvarint(r.buffer[at:r.stop])
	at += max(sizes[2], 0)
	length, sizes[3] = binary.Uvarint(r.buffer[at:r.stop])
	if min(sizes[0], sizes[1], sizes[2], sizes[3]) <= 0 || keyLength > MaxKey {
		return errRun
	}
	r.start, r.length = at+sizes[3], int(keyLength)
	rest := max(r.length-IntSize, 0)
	if left := uint64(r.stop-r.start) + uint64(r.section.to-r.section.from); length > left || length+uint64(rest) > left {
		return errRun
	}
	if err := r.fill(rest + int(length)); err != nil {
		return err
	}
	r.rest = r.buffer[r.start : r.start+rest]
	r.start += rest
	r.payload = r.buffer[r.start : r.start+int(length) : r.start+int(length)]
	r.start += int(length)
	return nil
}

// fill reads until size bytes, or the rest of the run, are in the buffer.
func (r *run) fill(size int) error {
	left := r.section.to - r.section.from
	if r.stop-r.start >= size || left == 0 {
		return nil
	}
	r.stop = copy(r.buffer, r.buffer[r.start:r.stop])
	r.start = 0
	if size > len(r.buffer) {
		r.buffer = append(r.buffer[:r.stop], make([]byte, size-r.stop)...)
	}
	n, err := r.file.ReadAt(r.buffer[r.stop:min(int64(len(r.buffer)), int64(r.stop)+left)], r.section.from)
	r.stop += n
	r.section.from += int64(n)
	if err == io.EOF {
		return errRun // the file was truncated
	}
	return err
}
