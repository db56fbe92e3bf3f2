//go:build !linux && !darwin

package lookup

import (
	"io"
	"os"
)

// mapFile reads the first size bytes of a file into memory. Stores do not change the file.
func mapFile(file *os.File, size int64, _ bool) (*region, error) {
	bytes := make([]byte, size)
	if _, err := io.ReadFull(io.NewSectionReader(file, 0, size), bytes); err != nil {
		return nil, err
	}
	return &region{bytes: bytes}, nil
}
