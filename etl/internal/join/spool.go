package join

import (
	"context"
	"encoding/binary"
	"fmt"
	"os"
)

const (
	// The hashes are in as many partitions, by their highest bits.
	partitionBits = 6
	partitions    = 1 << partitionBits
	hashSize      = 8
)

// spool keeps hashes in a temporary file, and finds those that it has been given several times. It takes eight bytes of disk for each hash.
// The file is unlinked right after it is created, so it disappears with the process. Few hashes stay in memory.
type spool struct {
	ctx       context.Context
	directory string
	bounds    bounds

	file    *os.File // nil before the first block
	written int64
	buffers [partitions][]byte
	blocks  [partitions][]int64 // offsets in the file
}

func newSpool(options *Options) *spool {
	return &spool{ctx: options.Context, directory: options.Temp, bounds: options.bounds}
}

// add adds a hash.
func (s *spool) add(hash uint64) error {
	partition := hash >> (64 - partitionBits)
	buffer := binary.LittleEndian.AppendUint64(s.buffers[partition], hash)
	s.buffers[partition] = buffer
	if len(buffer) < s.bounds.block {
		return nil
	}
	return s.flush(partition)
}

func (s *spool) flush(partition uint64) error {
	if err := s.ctx.Err(); err != nil {
		return err
	}
	if s.file == nil {
		file, err := os.CreateTemp(s.directory, "keys-*")
		if err != nil {
			return s.failed(err)
		}
		s.file = file
		if err := os.Remove(file.Name()); err != nil {
			return s.failed(err)
		}
	}
	n, err := s.file.Write(s.buffers[partition])
	if err != nil {
		return s.failed(err)
	}
	s.blocks[partition] = append(s.blocks[partition], s.written)
	s.written += int64(n)
	s.buffers[partition] = s.buffers[partition][:0]
	return nil
}

func (s *spool) failed(err error) error {
	return fmt.Errorf("compare keys in %s: %w; --temp names another directory, on a disk with more room", s.directory, err)
}

// repeated adds the hashes that were added several times to a set. It ends with errMostWatched when the set has more than most.
func (s *spool) repeated(into *hashSet, most int) error {
	var seen hashSet
	block := make([]byte, s.bounds.block)
	for partition := range uint64(partitions) {
		count := (len(s.blocks[partition])*s.bounds.block + len(s.buffers[partition])) / hashSize
		// A large partition is read several times, each time for the hashes with other bits after those of the partition.
		bits := 0
		for count>>bits > s.bounds.checked {
			bits++
		}
		for part := range uint64(1) << bits {
			seen.clear()
			check := func(hashes []byte) error {
				for ; len(hashes) > 0; hashes = hashes[hashSize:] {
					hash := binary.LittleEndian.Uint64(hashes)
					if hash<<partitionBits>>(64-bits) == part && seen.add(hash) && !into.add(hash) && into.count > most {
						return errMostWatched
					}
				}
				return s.ctx.Err()
			}
			for _, offset := range s.blocks[partition] {
				if _, err := s.file.ReadAt(block, offset); err != nil {
					return s.failed(err)
				}
				if err := check(block); err != nil {
					return err
				}
			}
			if err := check(s.buffers[partition]); err != nil {
				return err
			}
		}
	}
	return nil
}

// close frees the memory and the disk space.
func (s *spool) close() {
	s.buffers, s.blocks = [partitions][]byte{}, [partitions][]int64{}
	if s.file != nil {
		_ = s.file.Close() // nothing reads it again
		s.file = nil
	}
}
