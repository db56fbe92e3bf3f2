package document

import (
	"bytes"
	"encoding/binary"
	"math/big"
	"math/bits"
	"strconv"
)

// total is an exact sum of decimal numbers: high and low are a 128-bit integer in units of the last decimal. big replaces them once
// they are too small.
type total struct {
	high, low uint64
	scale     int // number of decimals
	big       *big.Int
}

// powers are the powers of ten that fit into 64 bits.
var powers = func() (powers [20]uint64) {
	powers[0] = 1
	for i := 1; i < len(powers); i++ {
		powers[i] = 10 * powers[i-1]
	}
	return powers
}()

// addFixed adds a number in units of the last decimal. The sum of all rows of an item fits into 128 bits.
func (t *total) addFixed(value int64) {
	var carry uint64
	t.low, carry = bits.Add64(t.low, uint64(value), 0)
	t.high += uint64(value>>63) + carry
}

// add adds the number of a canonical text of any type.
func (t *total) add(text []byte) {
	value, scale, ok := parseDecimal(text)
	if !ok {
		t.addBig(parseBig(text))
		return
	}
	if t.big == nil && t.rescale(max(scale, t.scale)) {
		other := total{low: uint64(value), high: uint64(value >> 63), scale: scale}
		if other.rescale(t.scale) && t.addSame(&other) {
			return
		}
	}
	t.addBig(big.NewInt(value), scale)
}

// addSame adds another sum with the same scale. It returns false if the sum does not fit.
func (t *total) addSame(other *total) bool {
	low, carry := bits.Add64(t.low, other.low, 0)
	high, _ := bits.Add64(t.high, other.high, carry)
	if int64((t.high^high)&(other.high^high)) < 0 {
		return false
	}
	t.high, t.low = high, low
	return true
}

// rescale adds decimals. It returns false if the sum does not fit.
func (t *total) rescale(scale int) bool {
	more := scale - t.scale
	if more == 0 {
		return true
	}
	if more >= len(powers) {
		return false
	}
	negative, high, low := t.magnitude()
	high, low, ok := multiply(high, low, powers[more])
	if !ok || int64(high) < 0 {
		return false
	}
	if negative {
		high, low = negate(high, low)
	}
	t.high, t.low, t.scale = high, low, scale
	return true
}

// magnitude returns the sign and the absolute value.
func (t *total) magnitude() (negative bool, high, low uint64) {
	if int64(t.high) >= 0 {
		return false, t.high, t.low
	}
	high, low = negate(t.high, t.low)
	return true, high, low
}

func negate(high, low uint64) (uint64, uint64) {
	low, borrow := bits.Sub64(0, low, 0)
	high, _ = bits.Sub64(0, high, borrow)
	return high, low
}

// multiply returns the product of a 128-bit integer and a factor. It returns false if the product does not fit.
func multiply(high, low, factor uint64) (uint64, uint64, bool) {
	carry, low := bits.Mul64(low, factor)
	over, high := bits.Mul64(high, factor)
	high, more := bits.Add64(high, carry, 0)
	return high, low, over == 0 && more == 0
}

// addBig adds value in units of the scale's last decimal.
func (t *total) addBig(value *big.Int, scale int) {
	if t.big == nil {
		t.big = t.toBig()
	}
	if scale > t.scale {
		t.big.Mul(t.big, bigPower(scale-t.scale))
		t.scale = scale
	}
	t.big.Add(t.big, value.Mul(value, bigPower(t.scale-scale)))
}

// toBig returns the sum as a new integer.
func (t *total) toBig() *big.Int {
	if t.big != nil {
		return new(big.Int).Set(t.big)
	}
	negative, high, low := t.magnitude()
	var words [16]byte
	binary.BigEndian.PutUint64(words[:], high)
	binary.BigEndian.PutUint64(words[8:], low)
	value := new(big.Int).SetBytes(words[:])
	if negative {
		value.Neg(value)
	}
	return value
}

func bigPower(exponent int) *big.Int {
	return new(big.Int).Exp(big.NewInt(10), big.NewInt(int64(exponent)), nil)
}

// appendQuotient appends the sum divided by count, which is not 0, with some decimals, rounded half to even.
func (t *total) appendQuotient(dst []byte, count uint64, decimals int) []byte {
	if negative, quotient, ok := t.quotient(count, decimals); ok {
		var digits [20]byte
		return appendPoint(dst, negative && quotient > 0, strconv.AppendUint(digits[:0], quotient, 10), decimals)
	}
	numerator, denominator := t.toBig(), new(big.Int).SetUint64(count)
	if decimals >= t.scale {
		numerator.Mul(numerator, bigPower(decimals-t.scale))
	} else {
		denominator.Mul(denominator, bigPower(t.scale-decimals))
	}
	negative := numerator.Sign() < 0
	quotient, rest := numerator.QuoRem(numerator.Abs(numerator), denominator, new(big.Int))
	if order := rest.Lsh(rest, 1).Cmp(denominator); order > 0 || order == 0 && quotient.Bit(0) == 1 {
		quotient.Add(quotient, big.NewInt(1))
	}
	return appendPoint(dst, negative && quotient.Sign() > 0, quotient.Append(nil, 10), decimals)
}

// quotient returns the sum divided by count in units of the last of the decimals, rounded half to even. It returns false if a step needs
// more than 128 bits.
func (t *total) quotient(count uint64, decimals int) (negative bool, quotient uint64, ok bool) {
	more := decimals - t.scale
	if t.big != nil || more >= len(powers) || -more >= len(powers) {
		return false, 0, false
	}
	negative, high, low := t.magnitude()
	if more == 0 && high == 0 && count == 1 {
		return negative, low, true
	}
	if more >= 0 {
		high, low, ok = multiply(high, low, powers[more])
	} else {
		var over uint64
		over, count = bits.Mul64(count, powers[-more])
		ok = over == 0
	}
	if !ok || high >= count {
		return false, 0, false
	}
	quotient, rest := low/count, low%count
	if high > 0 {
		quotient, rest = bits.Div64(high, low, count)
	}
	if rest > count-rest || rest == count-rest && quotient&1 == 1 {
		quotient++ // a quotient of all ones becomes 0
		ok = quotient > 0
	}
	return negative, quotient, ok
}

// appendPoint appends digits with a point before the last ones.
func appendPoint(dst []byte, negative bool, digits []byte, decimals int) []byte {
	if negative {
		dst = append(dst, '-')
	}
	if decimals == 0 {
		return append(dst, digits...)
	}
	whole := len(digits) - decimals
	if whole <= 0 {
		dst = append(dst, '0', '.')
		for ; whole < 0; whole++ {
			dst = append(dst, '0')
		}
		return append(dst, digits...)
	}
	return append(append(append(dst, digits[:whole]...), '.'), digits[whole:]...)
}

// isShort reports whether shortInt can read an int of a length.
func isShort(word uint64, length int) bool { return length <= 8 && byte(word) != '-' }

// shortInt returns the number of up to eight digits in a little-endian word.
func shortInt(word uint64, length int) uint64 {
	return eightDigits(word << ((64 - 8*uint(length)) & 63))
}

// eightDigits returns the number that the digits of a little-endian word represent; zero bytes count as zeros. See package source.
func eightDigits(word uint64) uint64 {
	word &= 0x0f0f0f0f0f0f0f0f
	word = (word * (10<<8 + 1)) >> 8 & 0x00ff00ff00ff00ff
	word = (word * (100<<16 + 1)) >> 16 & 0x0000ffff0000ffff
	return word * (10000<<32 + 1) >> 32
}

// longFixed returns the number of a canonical int, or of an amount in hundredths.
func longFixed(text []byte) int64 {
	negative := text[0] == '-'
	if negative {
		text = text[1:]
	}
	var n uint64
	for _, c := range text {
		if digit := uint64(c - '0'); digit <= 9 { // no point
			n = n*10 + digit
		}
	}
	if negative {
		return -int64(n)
	}
	return int64(n)
}

// parseDecimal returns a number of up to 18 digits in units of its last decimal.
func parseDecimal(text []byte) (value int64, scale int, ok bool) {
	negative := text[0] == '-'
	if negative {
		text = text[1:]
	}
	digits, point := 0, -1
	for i, c := range text {
		if c|0x20 == 'e' {
			scale = -parseExponent(text[i+1:])
			break
		}
		if c == '.' {
			point = digits
			continue
		}
		value = value*10 + int64(c-'0')
		if digits++; digits > 18 {
			return 0, 0, false
		}
	}
	if point >= 0 {
		scale += digits - point
	}
	if scale < 0 {
		if digits-scale > 18 {
			return 0, 0, false
		}
		value *= int64(powers[-scale])
		scale = 0
	}
	if negative {
		value = -value
	}
	return value, scale, true
}

// parseExponent returns the exponent of a number that a reader has accepted, which is not large.
func parseExponent(text []byte) int {
	exponent := 0
	for _, c := range text {
		if digit := c - '0'; digit <= 9 {
			exponent = exponent*10 + int(digit)
		}
	}
	if text[0] == '-' {
		return -exponent
	}
	return exponent
}

// parseBig returns any JSON number in units of its last decimal.
func parseBig(text []byte) (value *big.Int, scale int) {
	exponent := 0
	if i := bytes.IndexAny(text, "eE"); i >= 0 {
		exponent = parseExponent(text[i+1:])
		text = text[:i]
	}
	whole, decimals, _ := bytes.Cut(text, []byte{'.'})
	value, _ = new(big.Int).SetString(string(whole)+string(decimals), 10)
	scale = len(decimals) - exponent
	if scale < 0 {
		return value.Mul(value, bigPower(-scale)), 0
	}
	return value, scale
}
