package charset

import (
	"encoding/binary"
	"io"
	"unicode/utf8"
)

// Decoder reads a text as UTF-8. It must be used by one goroutine.
type Decoder struct {
	reader io.Reader
	decode func(dst, raw []byte, end bool) (text []byte, used int)
	raw    []byte // input
	rest   int    // raw[:rest] is not decoded yet
	buffer []byte
	text   []byte // the part of buffer that Read has not returned yet
	err    error
}

// readSize is the size of a read, in bytes.
const readSize = 64 << 10

// NewDecoder returns a Decoder for a text in an encoding other than UTF8.
func NewDecoder(reader io.Reader, encoding string) *Decoder {
	d := &Decoder{reader: reader, raw: make([]byte, readSize)}
	switch encoding {
	case Latin1, Windows1252:
		table := characters(encoding)
		d.decode = func(dst, raw []byte, _ bool) ([]byte, int) { return appendBytes(dst, raw, table), len(raw) }
	case UTF16LE:
		d.decode = func(dst, raw []byte, end bool) ([]byte, int) { return appendUnits(dst, raw, end, binary.LittleEndian) }
	case UTF16BE:
		d.decode = func(dst, raw []byte, end bool) ([]byte, int) { return appendUnits(dst, raw, end, binary.BigEndian) }
	default:
		panic("BUG: no decoder for " + encoding)
	}
	return d
}

// Read implements io.Reader.
func (d *Decoder) Read(p []byte) (int, error) {
	for len(d.text) == 0 {
		if d.err != nil {
			return 0, d.err
		}
		n, err := d.reader.Read(d.raw[d.rest:])
		raw := d.raw[:d.rest+n]
		var used int
		d.buffer, used = d.decode(d.buffer[:0], raw, err == io.EOF)
		d.text, d.rest, d.err = d.buffer, copy(d.raw, raw[used:]), err
	}
	n := copy(p, d.text)
	d.text = d.text[n:]
	return n, nil
}

// characters returns the characters of the bytes from 0x80 on; 0 if there is none.
func characters(encoding string) *[128]rune {
	var table [128]rune
	for i := range table {
		table[i] = utf8.RuneSelf + rune(i)
	}
	clear(table[:len(windows)])
	if encoding == Windows1252 {
		copy(table[:], windows[:])
	}
	return &table
}

// appendBytes appends a text of which each byte is a character. A byte without one stays as it is.
func appendBytes(dst, raw []byte, table *[128]rune) []byte {
	for _, c := range raw {
		switch {
		case c < utf8.RuneSelf, table[c-utf8.RuneSelf] == 0:
			dst = append(dst, c)
		default:
			dst = utf8.AppendRune(dst, table[c-utf8.RuneSelf])
		}
	}
	return dst
}

// appendUnits appends a text in UTF-16, up to the last complete character; if end, all of it. A surrogate without its pair is encoded as
// if it were a character.
func appendUnits(dst, raw []byte, end bool, order binary.ByteOrder) ([]byte, int) {
	at := 0
	for ; at+1 < len(raw); at += 2 {
		unit := rune(order.Uint16(raw[at:]))
		switch {
		case unit < firstHigh || unit > lastLow:
			dst = utf8.AppendRune(dst, unit)
			continue
		case unit < firstLow && at+3 < len(raw):
			if low := rune(order.Uint16(raw[at+2:])); low >= firstLow && low <= lastLow {
				dst = utf8.AppendRune(dst, (unit-firstHigh)<<10|(low-firstLow)+surSelf)
				at += 2
				continue
			}
		case unit < firstLow && !end:
			return dst, at
		}
		dst = append(dst, 0xe0|byte(unit>>12), 0x80|byte(unit>>6)&0xbf, 0x80|byte(unit)&0xbf)
	}
	if at < len(raw) && end {
		return append(dst, oddByte), len(raw)
	}
	return dst, at
}
