package decimal

import (
	"encoding/json"
	"math/big"
	"strings"
	"testing"
)

func TestAppend(t *testing.T) {
	long := strings.Repeat("9", MaxLength)
	for text, want := range map[string]string{
		"0": "0", "48.1234567": "48.1234567", "-11.7654321": "-11.7654321", ".5": "0.5", "-.5": "-0.5", "+.5": "0.5", "+4": "4", "007": "7",
		"00": "0", "00.50": "0.50", "-0": "0", "-0.00": "0.00", "-.0": "0.0", "-0e5": "0e5", "-00.01": "-0.01", "1e5": "1e5", "1.5E-3": "1.5E-3",
		".5e+07": "0.5e+07", "7.8900000000000006": "7.8900000000000006", "1e1000": "1e1000", "1e-01000": "1e-01000", long: long,
	} {
		if got, ok := Append([]byte("x"), []byte(text)); !ok || string(got) != "x"+want {
			t.Errorf("Append(%q) = %q, %v, want %q", text, got, ok, "x"+want)
		}
	}
	for _, text := range []string{
		"", ".", "4.", "-", "+", "--1", "+-1", "1.2.3", "1,5", "1e", "1e+", "e5", ".e5", "1e5.5", "1e1001", "1e-1001", "1e99999999999999999999",
		"NaN", "Infinity", "-inf", "0x10", "1_000", " 1", "1 ", "1a", "１", long + "9", "1.e5",
	} {
		if got, ok := Append([]byte("x"), []byte(text)); ok || string(got) != "x" {
			t.Errorf("Append(%q) = %q, %v, want x and false", text, got, ok)
		}
	}
}

// FuzzAppend compares the numbers before and after with math/big, which reads a larger language.
func FuzzAppend(f *testing.F) {
	for _, text := range []string{"-00.50", ".5", "1.5E-3", "+7", "4.", "1e1000", "-0e0", "9.", "1_0", "0x1p-2", "Inf", "1/2"} {
		f.Add([]byte(text))
	}
	f.Fuzz(func(t *testing.T, text []byte) {
		got, ok := Append(nil, text)
		want, readable := new(big.Rat), form.Match(text) && text[len(text)-1] != '.' && !strings.Contains(string(text), ".e") &&
			!strings.Contains(string(text), ".E")
		if readable {
			_, readable = want.SetString(string(text))
		}
		if !ok {
			if readable && len(text) <= MaxLength {
				t.Fatalf("Append refuses %q", text)
			}
			return
		}
		number := Of(got)
		value, isNumber := new(big.Rat).SetString(string(got))
		switch {
		case !json.Valid(got):
			t.Fatalf("Append(%q) = %q, which is no JSON", text, got)
		case !isNumber:
			t.Fatalf("math/big does not read %q", got)
		case readable && value.Cmp(want) != 0:
			t.Fatalf("Append(%q) = %q, another number", text, got)
		case number.Sign() != value.Sign():
			t.Fatalf("the sign of %q is %d", got, number.Sign())
		}
		if again, ok := Append(nil, got); !ok || string(again) != string(got) {
			t.Fatalf("Append(%q) = %q, %v", got, again, ok)
		}
	})
}

func TestAppendAllocatesNothing(t *testing.T) {
	text, dst := []byte("-00.1234567e5"), make([]byte, 0, 64)
	if n := testing.AllocsPerRun(100, func() { _, _ = Append(dst, text) }); n != 0 {
		t.Errorf("%v allocations", n)
	}
}
