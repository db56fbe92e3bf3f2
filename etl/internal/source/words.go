package source

import "unsafe"

// words reads a csvscan.Window without the checks that cost as much as the reading. That it never reads behind the window rests
// on this: a field ends before the zeros behind the window or at the first of them, and from there no more than three words are read.
type words struct{ first unsafe.Pointer }

// newWords returns the words of a window, whose memory it keeps alive.
func newWords(window []byte) words { return words{unsafe.Pointer(unsafe.SliceData(window))} }

// word returns the eight bytes from an index on, the first of them lowest.
func (w words) word(at int) uint64 {
	b := (*[8]byte)(unsafe.Add(w.first, at))
	return uint64(b[0]) | uint64(b[1])<<8 | uint64(b[2])<<16 | uint64(b[3])<<24 | uint64(b[4])<<32 | uint64(b[5])<<40 | uint64(b[6])<<48 | uint64(b[7])<<56
}

// byte returns the byte at an index.
func (w words) byte(at int) byte { return *(*byte)(unsafe.Add(w.first, at)) }

// bytes returns the bytes between two indices.
func (w words) bytes(from, to int) []byte {
	return unsafe.Slice((*byte)(unsafe.Add(w.first, from)), to-from)
}
