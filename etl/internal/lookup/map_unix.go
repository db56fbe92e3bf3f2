//go:build linux || darwin

package lookup

import (
	"os"
	"syscall"
)

// mapFile maps the first size bytes of a file into memory. If writable, stores change the file.
func mapFile(file *os.File, size int64, writable bool) (*region, error) {
	if size == 0 {
		return &region{}, nil
	}
	protection := syscall.PROT_READ
	if writable {
		protection |= syscall.PROT_WRITE
	}
	bytes, err := syscall.Mmap(int(file.Fd()), 0, int(size), protection, syscall.MAP_SHARED)
	if err != nil {
		return nil, os.NewSyscallError("mmap", err)
	}
	return &region{bytes: bytes, unmap: func() error { return os.NewSyscallError("munmap", syscall.Munmap(bytes)) }}, nil
}
