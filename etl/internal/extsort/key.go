package extsort

import (
	"bytes"
	"cmp"
	"encoding/binary"
)

// IntSize is the length of an encoded int, in bytes.
const IntSize = 8

// AppendInt appends an int in a form whose bytes have the order of the ints.
func AppendInt(dst []byte, n int64) []byte {
	return binary.BigEndian.AppendUint64(dst, uint64(n)^1<<63)
}

// Int returns the int at the beginning of a key, which AppendInt has appended.
func Int(key []byte) int64 { return int64(binary.BigEndian.Uint64(key) ^ 1<<63) }

// prefixOf returns the first bytes of a key as an int, which decides most comparisons. Missing bytes are zeros.
func prefixOf(key []byte) int64 {
	if len(key) >= IntSize {
		return Int(key)
	}
	var padded [IntSize]byte
	copy(padded[:], key)
	return Int(padded[:])
}

// restOf returns the bytes after the prefix.
func restOf(key []byte) []byte { return key[min(len(key), IntSize):] }

// appendKey appends a key, given by its prefix, its length and its rest.
func appendKey(dst []byte, prefix int64, length int, rest []byte) []byte {
	from := len(dst)
	return append(AppendInt(dst, prefix)[:from+min(length, IntSize)], rest...)
}

// compareRests compares keys with the same prefix, given by their rests and lengths.
func compareRests(a, b []byte, lengthOfA, lengthOfB int) int {
	if order := bytes.Compare(a, b); order != 0 {
		return order
	}
	return cmp.Compare(lengthOfA, lengthOfB)
}
