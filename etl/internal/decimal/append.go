package decimal

// MaxLength and MaxExponent limit the numbers that Append accepts, so that PostgreSQL can store each of them.
const (
	MaxLength   = 1000 // in bytes
	MaxExponent = 1000
)

// Append appends a number as JSON, with the digits of text. Unlike JSON, text may have a plus sign, zeros at the beginning, and no
// digit before the point. The sign of zero is removed, because PostgreSQL does not store it. Append reports false if text is not a
// number.
func Append(dst, text []byte) ([]byte, bool) {
	if len(text) > MaxLength {
		return dst, false
	}
	at, negative := 0, false
	if len(text) > 0 && (text[0] == '-' || text[0] == '+') {
		at, negative = 1, text[0] == '-'
	}
	from := at
	end := digits(text, at)
	none := end == at
	for from < end-1 && text[from] == '0' {
		from++
	}
	at = end
	if at < len(text) && text[at] == '.' {
		end = digits(text, at+1)
		if end == at+1 {
			return dst, false
		}
		at = end
	} else if none {
		return dst, false
	}
	if at < len(text) && !isExponent(text[at:]) {
		return dst, false
	}
	if negative && !isZero(text[from:at]) {
		dst = append(dst, '-')
	}
	if none {
		dst = append(dst, '0')
	}
	return append(dst, text[from:]...), true
}

// digits returns the index after the digits of text from an index on.
func digits(text []byte, at int) int {
	for at < len(text) && text[at]-'0' <= 9 {
		at++
	}
	return at
}

// isExponent reports whether text is an exponent within the limit.
func isExponent(text []byte) bool {
	if text[0] != 'e' && text[0] != 'E' {
		return false
	}
	text = text[1:]
	if len(text) > 0 && (text[0] == '-' || text[0] == '+') {
		text = text[1:]
	}
	return len(text) > 0 && digits(text, 0) == len(text) && parseExponent(text) <= MaxExponent
}

// isZero reports whether the digits of text are all zeros.
func isZero(text []byte) bool {
	for _, c := range text {
		if c != '0' && c != '.' {
			return false
		}
	}
	return true
}
