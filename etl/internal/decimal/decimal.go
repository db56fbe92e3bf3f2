// Package decimal compares decimal numbers by their texts, so that no digit is lost.
package decimal

import "cmp"

// Number is a decimal number. It refers to the text that it was made of.
type Number struct {
	sign      int       // -1, 0 or 1
	magnitude int       // power of ten of the first digit that is not zero
	digits    [2][]byte // the digits from there on, before and after the point, without zeros at the end
}

// Of returns the number of a text: an optional sign, digits with an optional point, and an optional exponent, as in JSON and in
// amounts. It does not check the text.
func Of(text []byte) Number {
	n := Number{sign: 1}
	if len(text) > 0 && (text[0] == '-' || text[0] == '+') {
		if text[0] == '-' {
			n.sign = -1
		}
		text = text[1:]
	}
	whole, fraction, exponent := split(text)
	for len(whole) > 0 && whole[0] == '0' {
		whole = whole[1:]
	}
	n.magnitude = len(whole) - 1 + exponent
	for len(whole) == 0 && len(fraction) > 0 && fraction[0] == '0' {
		fraction = fraction[1:]
		n.magnitude--
	}
	fraction = trimZeros(fraction)
	if len(fraction) == 0 {
		whole = trimZeros(whole)
	}
	if len(whole)+len(fraction) == 0 {
		return Number{}
	}
	n.digits = [2][]byte{whole, fraction}
	return n
}

// split splits a text without sign at its point and its exponent.
func split(text []byte) (whole, fraction []byte, exponent int) {
	end := len(text)
	for i, c := range text {
		if c == 'e' || c == 'E' {
			end, exponent = i, parseExponent(text[i+1:])
			break
		}
	}
	for i, c := range text[:end] {
		if c == '.' {
			return text[:i], text[i+1 : end], exponent
		}
	}
	return text[:end], nil, exponent
}

// largestExponent is larger than any exponent that matters, and small enough to add lengths to it.
const largestExponent = 1 << 40

func parseExponent(text []byte) int {
	n, negative := 0, false
	for i, c := range text {
		if i == 0 && (c == '-' || c == '+') {
			negative = c == '-'
			continue
		}
		n = min(n*10+int(c-'0'), largestExponent)
	}
	if negative {
		return -n
	}
	return n
}

func trimZeros(digits []byte) []byte {
	for len(digits) > 0 && digits[len(digits)-1] == '0' {
		digits = digits[:len(digits)-1]
	}
	return digits
}

// Compare returns -1 if n is less than m, 0 if both are equal, and 1 if n is greater.
func (n *Number) Compare(m *Number) int {
	if n.sign != m.sign || n.sign == 0 {
		return cmp.Compare(n.sign, m.sign)
	}
	if n.magnitude != m.magnitude {
		return n.sign * cmp.Compare(n.magnitude, m.magnitude)
	}
	count := max(n.len(), m.len())
	for i := range count {
		if a, b := n.digit(i), m.digit(i); a != b {
			return n.sign * cmp.Compare(a, b)
		}
	}
	return 0
}

// Sign returns -1, 0 or 1.
func (n *Number) Sign() int { return n.sign }

// Scale returns the number of decimals after the point that are needed to write the number without an exponent.
func (n *Number) Scale() int { return max(0, n.len()-1-n.magnitude) }

func (n *Number) len() int { return len(n.digits[0]) + len(n.digits[1]) }

// digit returns a digit, counted from the first one that is not zero.
func (n *Number) digit(i int) byte {
	if i < len(n.digits[0]) {
		return n.digits[0][i]
	}
	if i -= len(n.digits[0]); i < len(n.digits[1]) {
		return n.digits[1][i]
	}
	return '0'
}
