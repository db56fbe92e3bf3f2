package source

import (
	"bytes"
	"math"
	"strconv"
)

// appendMoney appends an amount, given in hundredths, with two decimals.
func appendMoney(dst []byte, hundredths int64) []byte {
	if hundredths < 0 {
		dst = append(dst, '-')
		hundredths = -hundredths
	}
	dst = strconv.AppendInt(dst, hundredths/100, 10)
	cents := hundredths % 100
	return append(dst, '.', byte('0'+cents/10), byte('0'+cents%10))
}

// parseInt parses a 64-bit decimal integer with an optional minus sign.
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

// maxMoneyUnits is the largest amount without its decimals, so that the hundredths fit into 64 bits.
const maxMoneyUnits = math.MaxInt64/100 - 1

// parseMoney parses an amount with at most two decimals and returns it in hundredths.
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

// areInts reports whether text is a list of ints with at between them and spaces around them, or nothing.
func areInts(text, at []byte) bool {
	if len(bytes.Trim(text, " \t")) == 0 {
		return true
	}
	for {
		element, rest, more := bytes.Cut(text, at)
		if _, ok := parseInt(bytes.Trim(element, " \t")); !ok {
			return false
		}
		if !more {
			return true
		}
		text = rest
	}
}
