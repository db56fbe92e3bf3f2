package source

import "unsafe"

// words reads a csvscan.Window without bounds checks, which would double the cost. It stays within the window and its slack for
// this reason: every field ends at the first of the zeros after the window at the latest, and at most three words are read from there.
type words struct{ first unsafe.Pointer }

// newWords returns the words of a window and keeps its memory alive.
func newWords(window []byte) words { return words{unsafe.Pointer(unsafe.SliceData(window))} }

// word returns the eight bytes at an index as a little-endian number.
func (w words) word(at int) uint64 {
	b := (*[8]byte)(unsafe.Add(w.first, at))
	return uint64(b[0]) | uint64(b[1])<<8 | uint64(b[2])<<16 | uint64(b[3])<<24 |
		uint64(b[4])<<32 | uint64(b[5])<<40 | uint64(b[6])<<48 | uint64(b[7])<<56
}

// byte returns the byte at an index.
func (w words) byte(at int) byte { return *(*byte)(unsafe.Add(w.first, at)) }

// bytes returns the bytes between two indices.
func (w words) bytes(from, to int) []byte {
	return unsafe.Slice((*byte)(unsafe.Add(w.first, from)), to-from)
}
