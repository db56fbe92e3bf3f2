package source

import (
	"bytes"
	"encoding/binary"
	"math"
	"unicode/utf8"

	"systemscale/etl/internal/shape"
)

// convert reads text as a value of the type, or returns the reason why it is none.
func convert(kind shape.Type, text []byte, value *Value) Reason {
	switch kind {
	case shape.Int:
		n, ok := parseInt(text)
		if !ok {
			return NotInt
		}
		value.Int = n
	case shape.Money:
		n, ok := parseMoney(text)
		if !ok {
			return NotMoney
		}
		value.Int = n
	case shape.Text:
		value.Text = text
	case shape.Flag:
		switch string(text) {
		case "1", "true":
			value.Int = 1
		case "0", "false":
			value.Int = 0
		default:
			return NotFlag
		}
	}
	return ""
}

// parseInt reads a decimal number of 64 bits with an optional minus sign.
func parseInt(text []byte) (int64, bool) {
	digits := text
	negative := len(text) > 0 && text[0] == '-'
	if negative {
		digits = text[1:]
	}
	if len(digits) == 0 || len(digits) > 19 {
		return 0, false
	}
	var n uint64
	for _, c := range digits {
		if c -= '0'; c > 9 {
			return 0, false
		}
		n = n*10 + uint64(c)
	}
	switch {
	case negative && n <= -math.MinInt64:
		return -int64(n), true
	case !negative && n <= math.MaxInt64:
		return int64(n), true
	}
	return 0, false
}

// maxMoneyUnits keeps hundredths within 64 bits.
const maxMoneyUnits = math.MaxInt64/100 - 1

// parseMoney reads an amount with at most two decimals and returns it in hundredths.
func parseMoney(text []byte) (int64, bool) {
	units, decimals := text, []byte(nil)
	for i, c := range text {
		if c == '.' {
			units, decimals = text[:i], text[i+1:]
			if len(decimals) == 0 {
				return 0, false
			}
			break
		}
	}
	n, ok := parseInt(units)
	if !ok || n > maxMoneyUnits || n < -maxMoneyUnits || len(decimals) > 2 {
		return 0, false
	}
	var hundredths int64
	for i := range 2 {
		hundredths *= 10
		if i < len(decimals) {
			c := decimals[i] - '0'
			if c > 9 {
				return 0, false
			}
			hundredths += int64(c)
		}
	}
	if units[0] == '-' {
		return n*100 - hundredths, true
	}
	return n*100 + hundredths, true
}

// checkText returns the reason why a line cannot be stored, or an empty one; and whether, its quotes aside, it is plain:
// free of what a JSON string must escape. Eight bytes at a time: nearly all lines are ASCII without control characters
// and backslashes, and only the others are looked at again. The tests for a zero byte and for one below a space
// are those of Sean Anderson's "Bit Twiddling Hacks".
func checkText(line []byte) (reason Reason, plain bool) {
	const (
		ones        = 0x0101010101010101
		highs       = 0x8080808080808080
		backslashes = '\\' * ones
		spaces      = ' ' * ones
	)
	var odd, above uint64
	rest := line
	for len(rest) >= 8 {
		word := binary.LittleEndian.Uint64(rest)
		backslash := word ^ backslashes
		odd |= (word-spaces)&^word | (backslash-ones)&^backslash
		above |= word
		rest = rest[8:]
	}
	for _, c := range rest {
		if c < ' ' || c == '\\' {
			odd = highs
		}
		above |= uint64(c)
	}
	plain = odd&highs == 0
	if !plain && bytes.IndexByte(line, 0) >= 0 {
		return NULByte, false
	}
	if above&highs != 0 && !utf8.Valid(line) {
		return NotUTF8, false
	}
	return "", plain
}
