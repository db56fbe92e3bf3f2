package charset

import (
	"encoding/binary"
	"io"
	"slices"
	"unicode/utf8"
)

// Encoder writes text that a Decoder has returned in its encoding again. A character whose bytes are not complete is held back until
// the next Write. An odd byte at the end of the text in UTF-16 is left out.
type Encoder struct {
	writer io.Writer
	append func(dst []byte, r rune) []byte
	single bool // each byte is a character
	rest   []byte
	out    []byte
}

// NewEncoder returns an Encoder for an encoding other than UTF8.
func NewEncoder(writer io.Writer, encoding string) *Encoder {
	e := &Encoder{writer: writer}
	switch encoding {
	case Latin1, Windows1252:
		table := characters(encoding)
		e.single = true
		e.append = func(dst []byte, r rune) []byte {
			if r < utf8.RuneSelf {
				return append(dst, byte(r))
			}
			return append(dst, utf8.RuneSelf+byte(slices.Index(table[:], r)))
		}
	case UTF16LE:
		e.append = func(dst []byte, r rune) []byte { return appendCharacter(dst, r, binary.LittleEndian) }
	case UTF16BE:
		e.append = func(dst []byte, r rune) []byte { return appendCharacter(dst, r, binary.BigEndian) }
	default:
		panic("BUG: no encoder for " + encoding)
	}
	return e
}

// Write implements io.Writer.
func (e *Encoder) Write(p []byte) (int, error) {
	text := append(e.rest, p...)
	e.out = e.out[:0]
	at := 0
	for at < len(text) {
		surrogate := text[at] == 0xed && at+1 < len(text) && text[at+1] >= 0xa0
		if surrogate && at+2 == len(text) || !surrogate && !utf8.FullRune(text[at:]) {
			break
		}
		r, size := utf8.DecodeRune(text[at:])
		switch {
		case surrogate && !e.single:
			size = 3
			e.out = e.append(e.out, rune(text[at]&0x0f)<<12|rune(text[at+1]&0x3f)<<6|rune(text[at+2]&0x3f))
		case r != utf8.RuneError || size > 1:
			e.out = e.append(e.out, r)
		case e.single:
			e.out = append(e.out, text[at])
		}
		at += size
	}
	e.rest = append(e.rest[:0], text[at:]...)
	if _, err := e.writer.Write(e.out); err != nil {
		return 0, err
	}
	return len(p), nil
}

// appendCharacter appends a character in UTF-16. A surrogate is a unit of its own.
func appendCharacter(dst []byte, r rune, order binary.AppendByteOrder) []byte {
	if r < surSelf {
		return order.AppendUint16(dst, uint16(r))
	}
	r -= surSelf
	dst = order.AppendUint16(dst, uint16(firstHigh+r>>10))
	return order.AppendUint16(dst, uint16(firstLow+r&0x3ff))
}
