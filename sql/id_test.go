package sql

import (
	"encoding/json"
	"errors"
	"math"
	"net/url"
	"slices"
	"strings"
	"testing"
)

func TestIDs(t *testing.T) {
	f := func(id ID, text, path, encoded string) {
		t.Helper()
		if got := id.String(); got != text {
			t.Errorf("String = %q, want %q", got, text)
		}
		if got := string(id.AppendPath([]byte("/"))); got != "/"+path {
			t.Errorf("AppendPath of %s = %s, want /%s", id, got, path)
		}
		if got, err := json.Marshal(id); string(got) != encoded || err != nil {
			t.Errorf("the JSON of %s is %s (%v), want %s", id, got, err, encoded)
		}
		var decoded ID
		if err := json.Unmarshal([]byte(encoded), &decoded); err != nil || decoded != id {
			t.Errorf("%s is decoded as %s (%v)", encoded, decoded, err)
		}
		value, err := id.Value()
		var back ID
		if scanErr := back.Scan(value); err != nil || scanErr != nil || back != id {
			t.Errorf("%s becomes %s in the database (%v, %v)", id, back, err, scanErr)
		}
	}
	f(ID{}, "0", "0", "0")
	f(IntID(-7), "-7", "-7", "-7")
	f(IntID(math.MinInt64), "-9223372036854775808", "-9223372036854775808", "-9223372036854775808")
	f(TextID("7"), "7", "7", `"7"`)
	f(TextID("AC/DC"), "AC/DC", "AC/DC", `"AC/DC"`)
	f(TextID(`a "b\`+"\n\x01"), `a "b\`+"\n\x01", "a%20%22b%5C%0A%01", `"a \"b\\\u000a\u0001"`)
	f(TextID("100%+;&=ü~._-"), "100%+;&=ü~._-", "100%25%2B%3B%26%3D%C3%BC~._-", `"100%+;\u0026=ü~._-"`)
	f(TextID(JoinID("1901", "a/b%")), "1901/a%2Fb%25", "1901/a%252Fb%2525", `"1901/a%2Fb%25"`)
	if seven := TextID(IntID(7).String()); IntID(7) == seven || seven != TextID("7") {
		t.Error("== does not distinguish kinds, or values")
	}
	var id ID
	for _, value := range []any{nil, "", 7.5, []byte("x")} {
		if id.Scan(value) == nil {
			t.Errorf("%v was scanned", value)
		}
	}
}

func TestOrderOfIDs(t *testing.T) {
	f := func(sorted ...ID) {
		t.Helper()
		for i, a := range sorted {
			for j, b := range sorted {
				if got := a.Compare(b); got != max(min(i-j, 1), -1) || a.Before(b) != (i < j) {
					t.Errorf("%s and %s: Compare = %d, Before = %v", a, b, got, a.Before(b))
				}
			}
		}
	}
	f(IntID(math.MinInt64), IntID(-1), IntID(0), IntID(1), IntID(math.MaxInt64))
	f(TextID("\x01"), TextID("10"), TextID("9"), TextID("A"), TextID("a"), TextID("a/"), TextID("ab"), TextID("ä"), TextID("\U0001F600"))
}

func TestIDArray(t *testing.T) {
	if got, ok := IDArray([]ID{IntID(2), IntID(-1)}).([]int64); !ok || !slices.Equal(got, []int64{2, -1}) {
		t.Errorf("integers: %v", got)
	}
	if got, ok := IDArray([]ID{TextID("b"), TextID("a")}).([]string); !ok || !slices.Equal(got, []string{"b", "a"}) {
		t.Errorf("texts: %v", got)
	}
	if got, ok := IDArray(nil).([]int64); !ok || len(got) != 0 {
		t.Errorf("none: %v", got)
	}
}

func TestCheckID(t *testing.T) {
	f := func(text string, parts int, want error) {
		t.Helper()
		if err := CheckID(text, parts); !errors.Is(err, want) {
			t.Errorf("CheckID(%q, %d) = %v, want %v", text, parts, err, want)
		}
		if err := CheckID([]byte(text), parts); !errors.Is(err, want) {
			t.Errorf("CheckID of the bytes of %q and %d = %v, want %v", text, parts, err, want)
		}
	}
	for _, text := range []string{"a", "AC/DC", "%", "100%25", "ü", "...", ".a", "a.", " ", "\n", strings.Repeat("x", MaxIDLength)} {
		f(text, 1, nil)
	}
	f("1901/ABC", 2, nil)
	f("1901/a%2Fb", 2, nil)
	for _, text := range []string{
		"", "/", "/a", "a/", "a//b", ".", "..", "a/../b", "./a", "a/.", "\x00", "a\x00", "\xff", "\xc0\xaf", strings.Repeat("x", MaxIDLength+1),
	} {
		f(text, 1, ErrNoAddress)
	}
	f("a", 2, ErrNoAddress)
	f("changes", 1, ErrNoAddress)
	f("a/changes", 1, nil)
	f("changes/a", 2, nil)
	f("styles", 1, nil)
	for text, want := range map[string]error{"styles": nil, "a/styles": ErrNoAddress, "a/b": nil, "a/hairstyles": nil, "styles/a": nil} {
		if err := CheckID(text, 1, "", "styles"); !errors.Is(err, want) {
			t.Errorf("CheckID(%q) beside the path styles = %v, want %v", text, err, want)
		}
	}
	if err := CheckID("a/styles", 2, "styles"); err != nil {
		t.Errorf("two parts, the last one like a path: %v", err)
	}
	f("a/b/c", 2, ErrNoAddress)
}

// FuzzPath compares the path of an id with the decoder of the standard library.
func FuzzPath(f *testing.F) {
	f.Add("a b", "c/d%")
	f.Fuzz(func(t *testing.T, first, second string) {
		joined := JoinID(first, second)
		if joined == "" {
			return
		}
		if path, err := url.PathUnescape(string(TextID(joined).AppendPath(nil))); err != nil || path != joined {
			t.Errorf("the path of %q is that of %q (%v)", joined, path, err)
		}
		a, b, found := strings.Cut(joined, "/")
		a, errA := url.PathUnescape(a)
		b, errB := url.PathUnescape(b)
		if !found || errA != nil || errB != nil || a != first || b != second {
			t.Errorf("the parts of %q are %q and %q (%v, %v)", joined, a, b, errA, errB)
		}
	})
}

func TestComparisonsOfIDsDoNotAllocate(t *testing.T) {
	a, b := IntID(7), IntID(8)
	var dst [64]byte
	if n := testing.AllocsPerRun(100, func() {
		if a == b || a.Compare(b) > 0 || b.Before(a) || len(a.AppendPath(dst[:0])) != 1 {
			t.Error("7 is not less than 8")
		}
	}); n != 0 {
		t.Errorf("%g allocations", n)
	}
}
