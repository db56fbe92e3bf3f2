package document

import "encoding/binary"

const hexDigits = "0123456789abcdef"

// appendString appends text as a JSON string. The text must be valid UTF-8 without a NUL byte, which PostgreSQL cannot
// store. Only the characters that RFC 8259 requires to be escaped are: the quote, the backslash and the control characters.
func appendString(dst, text []byte) []byte {
	return append(appendEscaped(append(dst, '"'), text), '"')
}

// appendEscaped appends text as a JSON string without its quotes.
func appendEscaped(dst, text []byte) []byte {
	for {
		n := plainPrefix(text)
		dst = append(dst, text[:n]...)
		if n == len(text) {
			return dst
		}
		dst = appendEscape(dst, text[n])
		text = text[n+1:]
	}
}

func appendEscape(dst []byte, c byte) []byte {
	switch c {
	case '"', '\\':
		return append(dst, '\\', c)
	case '\n':
		return append(dst, '\\', 'n')
	case '\r':
		return append(dst, '\\', 'r')
	case '\t':
		return append(dst, '\\', 't')
	}
	return append(dst, '\\', 'u', '0', '0', hexDigits[c>>4], hexDigits[c&15])
}

// plainPrefix returns the number of bytes before the first one that must be escaped. It tests eight bytes at a time, with the
// zero-byte and less-than tests of Sean Anderson's "Bit Twiddling Hacks". They have no false positives, but do not locate the
// byte; the second loop does.
func plainPrefix(text []byte) int {
	const (
		ones        = 0x0101010101010101
		highs       = 0x8080808080808080
		quotes      = '"' * ones
		backslashes = '\\' * ones
		spaces      = ' ' * ones
	)
	n := 0
	for len(text)-n >= 8 {
		word := binary.LittleEndian.Uint64(text[n:])
		quote, backslash := word^quotes, word^backslashes
		found := ((quote - ones) &^ quote) | ((backslash - ones) &^ backslash) | ((word - spaces) &^ word)
		if found&highs != 0 {
			break
		}
		n += 8
	}
	for n < len(text) && text[n] >= ' ' && text[n] != '"' && text[n] != '\\' {
		n++
	}
	return n
}
