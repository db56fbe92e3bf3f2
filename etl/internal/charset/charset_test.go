package charset

import (
	"bytes"
	"errors"
	"io"
	"strings"
	"testing"
	"testing/iotest"
	"unicode/utf8"
)

// decode returns the text of raw, and checks that it is the same in pieces, and that an Encoder restores raw.
func decode(t *testing.T, raw, encoding string) string {
	t.Helper()
	text, err := io.ReadAll(NewDecoder(strings.NewReader(raw), encoding))
	if err != nil {
		t.Fatal(err)
	}
	for name, in := range map[string]io.Reader{
		"one byte at a time": iotest.OneByteReader(strings.NewReader(raw)), "data with the error": iotest.DataErrReader(strings.NewReader(raw)),
	} {
		if got, err := io.ReadAll(iotest.OneByteReader(NewDecoder(in, encoding))); err != nil || !bytes.Equal(got, text) {
			t.Errorf("%s, %s: %q (%v), want %q", encoding, name, got, err, text)
		}
	}
	restored := raw
	if strings.HasPrefix(encoding, "utf-16") {
		restored = raw[:len(raw)/2*2]
	}
	for _, size := range []int{1, 2, 1000} {
		var out bytes.Buffer
		encoder := NewEncoder(&out, encoding)
		for rest := append(bytes.Clone(text), '\n'); len(rest) > 0; {
			n := min(size, len(rest))
			if _, err := encoder.Write(rest[:n]); err != nil {
				t.Fatal(err)
			}
			rest = rest[n:]
		}
		end := map[string]string{UTF16LE: "\n\x00", UTF16BE: "\x00\n", Latin1: "\n", Windows1252: "\n"}[encoding]
		if got := out.String(); got != restored+end {
			t.Errorf("%s: %q, written again in pieces of %d, is %q", encoding, raw, size, got)
		}
	}
	return string(text)
}

func TestDecoder(t *testing.T) {
	for _, c := range []struct{ encoding, raw, want string }{
		{Latin1, "Caf\xe9 \xa0\xff", "Café \u00a0ÿ"},
		{Latin1, "\xe9\x80\x9f", "é\x80\x9f"},
		{Windows1252, "\x80 5 \x93Caf\xe9\x94 \x9f", "€ 5 “Café” Ÿ"},
		{Windows1252, "a\x81\x8d\x8f\x90\x9d\xe9", "a\x81\x8d\x8f\x90\x9dé"},
		{UTF16LE, "\xff\xfeC\x00\xe9\x00\n\x00", "\ufeffCé\n"},
		{UTF16BE, "\xfe\xff\x00C\x00\xe9\x00\n", "\ufeffCé\n"},
		{UTF16LE, "\x3d\xd8\x00\xde", "😀"},
		{UTF16BE, "\xd8\x3d\xde\x00\x00a", "😀a"},
		{UTF16LE, "a\x00\x3d\xd8b\x00", "a\xed\xa0\xbdb"},
		{UTF16LE, "a\x00\x3d\xd8", "a\xed\xa0\xbd"},
		{UTF16LE, "\x00\xde\x00\xdea\x00", "\xed\xb8\x80\xed\xb8\x80a"},
		{UTF16LE, "\x3d\xd8\x3d\xd8\x00\xde", "\xed\xa0\xbd😀"},
		{UTF16LE, "a\x00\n", "a\xff"},
		{UTF16BE, "\xff\xfd\xff\xff", "\ufffd\uffff"},
		{UTF16LE, "", ""},
	} {
		if got := decode(t, c.raw, c.encoding); got != c.want {
			t.Errorf("%q in %s is %q, want %q", c.raw, c.encoding, got, c.want)
		}
	}
}

// TestInvalidSequences checks that what is invalid in an encoding is invalid in UTF-8, wherever it is.
func TestInvalidSequences(t *testing.T) {
	for encoding, raws := range map[string][]string{
		Latin1: {"\x80", "\xe9\x9f", "\xa0\x80\xe9"}, Windows1252: {"\x81", "\xe9\x8d", "\x80\x9d"},
		UTF16LE: {"\x3d\xd8", "\x00\xde", "\x3d\xd8\x3d\xd8", "a"}, UTF16BE: {"\xd8\x3d", "\xde\x00", "a"},
	} {
		for _, raw := range raws {
			for _, around := range []string{"", "a\x00", "\xe9\x00"} {
				if text := decode(t, around+raw, encoding); utf8.ValidString(text) && encoding != UTF16BE {
					t.Errorf("%q in %s is %q", around+raw, encoding, text)
				}
			}
		}
	}
}

func TestDecoderReturnsErrors(t *testing.T) {
	broken := errors.New("disk on fire")
	text, err := io.ReadAll(NewDecoder(io.MultiReader(strings.NewReader("a\x00b\x00"), iotest.ErrReader(broken)), UTF16LE))
	if string(text) != "ab" || !errors.Is(err, broken) {
		t.Errorf("%q, %v", text, err)
	}
}

func TestLongText(t *testing.T) {
	raw := strings.Repeat("\x3d\xd8\x00\xdea\x00", readSize)
	if got, err := io.ReadAll(NewDecoder(strings.NewReader("b\x00"+raw), UTF16LE)); err != nil || string(got) != "b"+strings.Repeat("😀a", readSize) {
		t.Errorf("%d bytes (%v)", len(got), err)
	}
}

func TestDetect(t *testing.T) {
	for head, want := range map[string]string{
		"\xff\xfei\x00": UTF16LE, "\xfe\xff\x00i": UTF16BE, "\xef\xbb\xbfi": UTF8, "id,n": "", "": "", "\xff": "", "\xff\xfe\x00\x00": "",
	} {
		if got := Detect([]byte(head)); got != want {
			t.Errorf("Detect(%q) = %q, want %q", head, got, want)
		}
	}
}

func FuzzDecoder(f *testing.F) {
	f.Add("a\x00\x3d\xd8", byte(0))
	f.Add("\xe9\x80\x9d", byte(3))
	f.Fuzz(func(t *testing.T, raw string, number byte) {
		decode(t, raw, Names()[1+int(number)%(len(Names())-1)])
	})
}
