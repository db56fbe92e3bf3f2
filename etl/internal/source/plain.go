package source

import (
	"math/bits"
	"unicode/utf8"
)

// Words with the same byte eight times.
const (
	ones        = 0x0101010101010101
	highs       = 0x8080808080808080
	quotes      = '"' * ones
	backslashes = '\\' * ones
	spaces      = ' ' * ones
	zeros       = '0' * ones
)

// quotedText returns the index of the closing quote of the quoted text at an index of w, and whether the text is plain. It returns
// -1 if the text contains an escape, a control character or invalid UTF-8, or has no end.
func quotedText(w words, at int) (int, bool) {
	begin := at
	for {
		// Most texts are either shorter than a word or much longer.
		found := special(w.word(at))
		if found == 0 {
			at += 8
			for special(w.word(at))|special(w.word(at+8)) == 0 {
				at += 16
			}
			continue
		}
		at += bits.TrailingZeros64(found) >> 3
		switch c := w.byte(at); {
		case c == '"':
			return at, true
		case c < utf8.RuneSelf:
			return -1, false
		}
		return foreignText(w, begin, at)
	}
}

// foreignText implements quotedText for a text with bytes beyond ASCII.
func foreignText(w words, begin, at int) (int, bool) {
	for ; ; at++ {
		switch c := w.byte(at); {
		case c == '"':
			if !utf8.Valid(w.bytes(begin, at)) {
				return -1, false
			}
			return at, true
		case c < ' ' || c == '\\':
			return -1, false
		}
	}
}

// bareText returns the index of the end of the bare text at an index of w, or -1 if it is not plain ASCII.
func bareText(w words, at int, delimiter byte) int {
	delimiters := uint64(delimiter) * ones
	for {
		word := w.word(at)
		if found := special(word) | ((word^delimiters)-ones)&highs; found != 0 {
			at += bits.TrailingZeros64(found) >> 3
			break
		}
		at += 8
	}
	if c := w.byte(at); c != delimiter && c != '\n' && c != '\r' {
		return -1
	}
	return at
}

// bareValue returns the index of the end of the bare field at an index of w, or -1 if it contains a quote or a control character. The
// text may not be UTF-8.
func bareValue(w words, at int, delimiter byte) int {
	for ; ; at++ {
		switch c := w.byte(at); {
		case c == delimiter || c == '\n' || c == '\r':
			return at
		case c < ' ' || c == '"':
			return -1
		}
	}
}

// special sets the high bit of the first byte of a little-endian word that is a quote, a backslash, a control character or beyond
// ASCII. The bits of later bytes are not reliable. The tests for a zero byte and for a byte below a space are from Sean Anderson's
// "Bit Twiddling Hacks".
func special(word uint64) uint64 {
	return ((word - spaces) | ((word ^ quotes) - ones) | ((word ^ backslashes) - ones) | word) & highs
}

// leadingDigits returns the number of digits at the beginning of a little-endian word.
func leadingDigits(word uint64) int {
	x := word ^ zeros
	return bits.TrailingZeros64(((x+0x7676767676767676)|x)&highs) >> 3
}

// eightDigits returns the number that the digits of a little-endian word represent; zero bytes count as zeros. Each of the three
// multiplications combines neighbors: Johnny Lee, "Fast numeric string to int", 2016.
func eightDigits(word uint64) uint64 {
	word &= 0x0f0f0f0f0f0f0f0f
	word = (word * (10<<8 + 1)) >> 8 & 0x00ff00ff00ff00ff
	word = (word * (100<<16 + 1)) >> 16 & 0x0000ffff0000ffff
	return word * (10000<<32 + 1) >> 32
}
