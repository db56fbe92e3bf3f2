package decimal

import (
	"math/big"
	"regexp"
	"testing"
)

var form = regexp.MustCompile(`^[-+]?([0-9]+(\.[0-9]*)?|\.[0-9]+)([eE][-+]?[0-9]{1,3})?$`)

// FuzzCompare compares with the exact arithmetic of math/big.
func FuzzCompare(f *testing.F) {
	for _, pair := range [][2]string{
		{"0", "-0.00"},
		{"1", "1.00"},
		{"9", "10"},
		{"-9", "-10"},
		{"0.1", ".01"},
		{"1e2", "100"},
		{"1.5E-3", "0.0015"},
		{"12.5", "125e-1"},
		{"0.0100", "1e-2"},
		{"100", "99.999999999999999999"},
		{"7.8900000000000006", "7.89"},
		{"+5", "5"},
		{"1e0", "10e-1"},
		{"000", "0e9"},
		{"1020", "1002"},
		{"10.02", "10.020"},
		{"4.", "4"},
	} {
		f.Add(pair[0], pair[1])
	}
	f.Fuzz(func(t *testing.T, a, b string) {
		if !form.MatchString(a) || !form.MatchString(b) {
			return
		}
		left, right := Of([]byte(a)), Of([]byte(b))
		x, okX := new(big.Rat).SetString(a)
		y, okY := new(big.Rat).SetString(b)
		if !okX || !okY {
			t.Fatalf("math/big does not read %q and %q", a, b)
		}
		if got, want := left.Compare(&right), x.Cmp(y); got != want {
			t.Errorf("%s compared with %s is %d, want %d", a, b, got, want)
		}
		if left.Sign() != x.Sign() {
			t.Errorf("the sign of %s is %d, want %d", a, left.Sign(), x.Sign())
		}
		if scale, _ := x.FloatPrec(); left.Scale() != scale {
			t.Errorf("the scale of %s is %d, want %d", a, left.Scale(), scale)
		}
	})
}

func TestCompareHugeExponents(t *testing.T) {
	a, b := Of([]byte("1e99999999999999999999")), Of([]byte("1e-99999999999999999999"))
	if a.Compare(&b) != 1 || b.Compare(&a) != -1 {
		t.Error("1e99999999999999999999 is not greater than 1e-99999999999999999999")
	}
}

func TestCompareAllocatesNothing(t *testing.T) {
	left, right := []byte("-123.4500"), []byte("-1.2345e2")
	if n := testing.AllocsPerRun(100, func() {
		a, b := Of(left), Of(right)
		if a.Compare(&b) != 0 {
			t.Fatal("not equal")
		}
	}); n != 0 {
		t.Errorf("%v allocations", n)
	}
}
