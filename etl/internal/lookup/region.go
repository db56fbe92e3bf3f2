package lookup

import (
	"errors"
	"os"
)

// region is a file in memory.
type region struct {
	bytes []byte
	unmap func() error // nil if there is nothing to unmap
}

func (r *region) close() error {
	if r.unmap == nil {
		return nil
	}
	unmap := r.unmap
	r.bytes, r.unmap = nil, nil
	return unmap()
}

// temporary creates a file that has no name any more.
func temporary(directory string) (*os.File, error) {
	file, err := os.CreateTemp(directory, "lookup-*")
	if err != nil {
		return nil, err
	}
	if err := os.Remove(file.Name()); err != nil {
		return nil, errors.Join(err, file.Close())
	}
	return file, nil
}

// newIndex returns empty slots in a temporary file. The zeros are written before the file is mapped: if the disk is full, a write is an
// error, but a store into the mapping of a file with holes would end the process.
func newIndex(directory string, slots int) (_ *region, err error) {
	file, err := temporary(directory)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, file.Close()) }() // the mapping stays
	size := int64(slots) * slotSize
	zeros := make([]byte, min(size, 256<<10))
	for written := int64(0); written < size; written += int64(len(zeros)) {
		if _, err := file.Write(zeros); err != nil {
			return nil, err
		}
	}
	return mapFile(file, size, true)
}
