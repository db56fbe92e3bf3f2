package main

import (
	"bytes"
	"encoding/binary"
	"testing"
)

// binaryCopy returns a binary COPY of rows with one column each, of the given sizes.
func binaryCopy(sizes ...int) []byte {
	data := make([]byte, headerSize)
	for i, size := range sizes {
		data = binary.BigEndian.AppendUint16(data, 1)
		data = binary.BigEndian.AppendUint32(data, uint32(size))
		data = append(data, bytes.Repeat([]byte{byte('a' + i)}, size)...)
	}
	return append(data, 0xff, 0xff)
}

func TestSplitCopyKeepsRowsComplete(t *testing.T) {
	data := binaryCopy(blockSize-100, 50, 200, 1, blockSize*2, 7)
	blocks, err := splitCopy(data)
	if err != nil {
		t.Fatal(err)
	}
	var rows []byte
	for i, block := range blocks {
		inner := block[headerSize : len(block)-trailerSize]
		header, trailer := block[:headerSize], block[len(block)-trailerSize:]
		if !bytes.Equal(header, data[:headerSize]) || !bytes.Equal(trailer, []byte{0xff, 0xff}) || len(inner) == 0 {
			t.Errorf("block %d of %d bytes is not a complete COPY", i, len(block))
		}
		for rest := inner; len(rest) > 0; {
			size, err := rowSize(rest)
			if err != nil || size > len(rest) {
				t.Fatalf("block %d ends inside a row: %v", i, err)
			}
			rest = rest[size:]
		}
		rows = append(rows, inner...)
	}
	if len(blocks) != 3 || !bytes.Equal(rows, data[headerSize:len(data)-trailerSize]) {
		t.Errorf("%d blocks with %d bytes of rows, want 3 with %d", len(blocks), len(rows), len(data)-headerSize-trailerSize)
	}
	for _, damaged := range [][]byte{nil, data[:headerSize], append(bytes.Clone(data[:headerSize]), 0, 1, 0, 0xff, 0xff)} {
		if _, err := splitCopy(damaged); err == nil {
			t.Errorf("%d damaged bytes were split", len(damaged))
		}
	}
}

func TestMedian(t *testing.T) {
	r := &report{}
	if odd, even := r.add("odd", "s", 9, 1, 5), r.add("even", "s", 4, 1, 3, 9); odd != 5 || even != 3.5 {
		t.Errorf("medians %v and %v, want 5 and 3.5", odd, even)
	}
}
