package document

import (
	"encoding/binary"
	"fmt"
	"math/big"
	"strings"
	"testing"

	"systemscale/etl/internal/shape"
)

// rounded returns a number with some decimals, rounded half to even, by math/big.
func rounded(value *big.Rat, decimals int) string {
	scaled := new(big.Rat).Mul(value, new(big.Rat).SetInt(bigPower(decimals)))
	quotient, rest := new(big.Int).QuoRem(new(big.Int).Abs(scaled.Num()), scaled.Denom(), new(big.Int))
	if order := rest.Lsh(rest, 1).Cmp(scaled.Denom()); order > 0 || order == 0 && quotient.Bit(0) == 1 {
		quotient.Add(quotient, big.NewInt(1))
	}
	digits := quotient.String()
	digits = strings.Repeat("0", max(0, decimals+1-len(digits))) + digits
	if decimals > 0 {
		digits = digits[:len(digits)-decimals] + "." + digits[len(digits)-decimals:]
	}
	if scaled.Sign() < 0 && quotient.Sign() > 0 {
		digits = "-" + digits
	}
	return digits
}

// numberText returns a decimal number from a seed: of up to 38 digits, decimals and exponents included.
func numberText(digits uint64, repeat, decimals, exponent uint8, negative bool) string {
	text := strings.Repeat(fmt.Sprint(digits), int(repeat%2)+1)
	if point := len(text) - int(decimals)%25; decimals > 0 && point > 0 && point < len(text) {
		text = text[:point] + "." + text[point:]
	}
	if exponent > 200 {
		text += fmt.Sprintf("e%d", int(exponent)-228)
	}
	if negative {
		text = "-" + text
	}
	return text
}

// FuzzTotal compares the sum, and the average with some decimals, of three numbers with math/big.
func FuzzTotal(f *testing.F) {
	f.Add(uint64(5), uint64(4), uint64(5), uint8(0), uint8(0), uint8(0), uint8(2), uint8(0))
	f.Add(uint64(1), uint64(2), uint64(0), uint8(1), uint8(2), uint8(0), uint8(0), uint8(1))
	f.Add(uint64(1250), uint64(1), uint64(999), uint8(2), uint8(0), uint8(2), uint8(1), uint8(7))
	f.Add(uint64(1<<63), uint64(1<<63), uint64(1<<63), uint8(3), uint8(18), uint8(9), uint8(15), uint8(2))
	f.Add(uint64(999999999999999999), uint64(1), uint64(1), uint8(0), uint8(17), uint8(203), uint8(15), uint8(0))
	f.Add(uint64(1<<64-1), uint64(1<<64-1), uint64(3), uint8(40), uint8(0), uint8(255), uint8(4), uint8(128))
	f.Fuzz(func(t *testing.T, a, b, c uint64, x, y, z, decimals, signs uint8) {
		texts := []string{
			numberText(a, signs>>3, x, y, signs&1 > 0), numberText(b, signs>>4, y, z, signs&2 > 0), numberText(c, signs>>5, z, x, signs&4 > 0),
		}
		var sum total
		want, scale := new(big.Rat), 0
		for _, text := range texts {
			sum.add([]byte(text))
			value, ok := new(big.Rat).SetString(text)
			if !ok {
				t.Fatalf("math/big does not read %q", text)
			}
			want.Add(want, value)
			_, places := parseBig([]byte(text))
			scale = max(scale, places)
		}
		if got := string(sum.appendQuotient(nil, 1, sum.scale)); sum.scale != scale || got != rounded(want, scale) {
			t.Errorf("the sum of %q is %s with %d decimals, want %s with %d", texts, got, sum.scale, rounded(want, scale), scale)
		}
		count := uint64(signs)>>3 + 1
		want.Quo(want, new(big.Rat).SetFrac(new(big.Int).SetUint64(count), big.NewInt(1)))
		if got := string(sum.appendQuotient([]byte("x"), count, int(decimals%16))); got != "x"+rounded(want, int(decimals%16)) {
			t.Errorf("the sum of %q divided by %d is %s, want %s", texts, count, got[1:], rounded(want, int(decimals%16)))
		}
	})
}

// FuzzFixed compares the sum of amounts, and of ints, with math/big.
func FuzzFixed(f *testing.F) {
	f.Add(int64(1), int64(-1), int64(100))
	f.Add(int64(-1<<63), int64(-1<<63), int64(-1<<63))
	f.Add(int64(1<<63-1), int64(1<<63-1), int64(1<<63-1))
	f.Add(int64(-5), int64(0), int64(12345678))
	f.Fuzz(func(t *testing.T, a, b, c int64) {
		for kind, unit := range map[shape.Type]int64{shape.Int: 1, shape.Money: 100} {
			var sum total
			want := new(big.Rat)
			for _, value := range []int64{a, b, c} {
				number := big.NewRat(value, unit)
				text := []byte(number.FloatString(map[int64]int{1: 0, 100: 2}[unit]))
				if got := longFixed(text); got != value {
					t.Fatalf("longFixed(%s) = %d, want %d", text, got, value)
				}
				word := binary.LittleEndian.Uint64(append(text[:len(text):len(text)], "12345678"...))
				if kind == shape.Int && isShort(word, len(text)) && int64(shortInt(word, len(text))) != value {
					t.Fatalf("shortInt(%s) = %d, want %d", text, shortInt(word, len(text)), value)
				}
				sum.addFixed(value)
				want.Add(want, number)
			}
			if kind == shape.Money {
				sum.scale = 2
			}
			want.Quo(want, big.NewRat(3, 1))
			for _, decimals := range []int{0, 2, 15} {
				if got := string(sum.appendQuotient(nil, 3, decimals)); got != rounded(want, decimals) {
					t.Errorf("the average of %d, %d and %d of type %s is %s, want %s", a, b, c, kind, got, rounded(want, decimals))
				}
			}
		}
	})
}
