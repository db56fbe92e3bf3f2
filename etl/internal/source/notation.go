package source

import (
	"bytes"
	"slices"

	"systemscale/etl/internal/shape"
)

// notation translates numbers from the notation of a file to the plain one.
type notation struct {
	decimal    []byte
	thousands  [][]byte
	currencies [][]byte
	scratch    []byte
}

// spaceCharacters are the characters that a file may have where a number has a space: the space, and those that do not break a line.
var spaceCharacters = [][]byte{[]byte(" "), []byte("\u00a0"), []byte("\u202f")}

// newNotation returns the notation of a column, or nil for the plain one.
func newNotation(declared *shape.Numbers, kind shape.Type) *notation {
	if declared == nil {
		return nil
	}
	n := &notation{decimal: []byte(declared.Decimal)}
	switch declared.Thousands {
	case "":
	case " ":
		n.thousands = spaceCharacters
	default:
		n.thousands = [][]byte{[]byte(declared.Thousands)}
	}
	if kind != shape.Int {
		for _, currency := range declared.Currency {
			n.currencies = append(n.currencies, []byte(currency))
		}
		slices.SortFunc(n.currencies, func(a, b []byte) int { return len(b) - len(a) }) // US$ before $
	}
	return n
}

// plain returns a number in the plain notation, or false if text has separators at wrong places. It does not check the digits. The
// result is valid until the next call.
func (n *notation) plain(text []byte) ([]byte, bool) {
	dst := n.scratch[:0]
	sign, text := cutSign(text)
	text, found := n.cutCurrency(text)
	if found && sign == nil {
		sign, text = cutSign(text)
	}
	dst = append(dst, sign...)
	count, separated := 0, false // digits after the last separator
	zero := len(text) > 0 && text[0] == '0'
	for len(text) > 0 {
		if text[0]-'0' <= 9 {
			dst = append(dst, text[0])
			text = text[1:]
			count++
			continue
		}
		size := prefix(text, n.thousands)
		if size == 0 {
			break
		}
		if separated && count != 3 || count == 0 || count > 3 || zero {
			return nil, false
		}
		separated, count = true, 0
		text = text[size:]
	}
	if separated && count != 3 {
		return nil, false
	}
	if len(n.decimal) > 0 && bytes.HasPrefix(text, n.decimal) {
		dst = append(dst, '.')
		text = text[len(n.decimal):]
		for len(text) > 0 && text[0]-'0' <= 9 {
			dst = append(dst, text[0])
			text = text[1:]
		}
	}
	if len(text) > 0 && text[0]|' ' != 'e' {
		return nil, false
	}
	n.scratch = append(dst, text...)
	return n.scratch, true
}

// cutCurrency removes a currency at the beginning or the end of text, and a space between it and the number.
func (n *notation) cutCurrency(text []byte) (number []byte, found bool) {
	if size := prefix(text, n.currencies); size > 0 {
		text = text[size:]
		return text[prefix(text, spaceCharacters):], true
	}
	for _, currency := range n.currencies {
		if bytes.HasSuffix(text, currency) {
			text = text[:len(text)-len(currency)]
			for _, space := range spaceCharacters {
				if bytes.HasSuffix(text, space) {
					return text[:len(text)-len(space)], true
				}
			}
			return text, true
		}
	}
	return text, false
}

func cutSign(text []byte) (sign, rest []byte) {
	if len(text) > 0 && (text[0] == '-' || text[0] == '+') {
		return text[:1], text[1:]
	}
	return nil, text
}

// prefix returns the length of the first word that text begins with, or 0.
func prefix(text []byte, words [][]byte) int {
	for _, word := range words {
		if bytes.HasPrefix(text, word) {
			return len(word)
		}
	}
	return 0
}
