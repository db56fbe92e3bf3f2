package printable

import (
	"bytes"
	"encoding/json"
	"errors"
	"strings"
	"testing"
)

func TestWriterEscapes(t *testing.T) {
	f := func(in, want string) {
		t.Helper()
		var out bytes.Buffer
		w := NewWriter(&out)
		if n, err := w.Write([]byte(in)); n != len(in) || err != nil {
			t.Errorf("Write(%q) = %d, %v", in, n, err)
		}
		if out.String() != want {
			t.Errorf("Write(%q) writes %q, want %q", in, out.String(), want)
		}
	}
	f("Größe 日本 😀 → …\n\tx", "Größe 日本 😀 → …\n\tx")
	f("\x1b[31mred\x1b[0m", `\u001b[31mred\u001b[0m`)
	f("\x1b]0;title\x07", `\u001b]0;title\u0007`)
	f("one\rtwo\bthree", `one\u000dtwo\u0008three`)
	f("\u009b31m\x7f\x00", `\u009b31m\u007f\u0000`)
	f("a\u202eb\u2066c\u200b\ufeff\u00a0", `a\u202eb\u2066c\u200b\ufeff\u00a0`)
	f("\xff\xfe\x9b31m", `\xff\xfe\x9b31m`)
	f("\U000e0041", `\udb40\udc41`)
}

func TestWriterKeepsJSON(t *testing.T) {
	want := "a\x1b\u202e\u009b\U000e0041\u00a0\x7f\n"
	encoded, err := json.Marshal(want)
	if err != nil {
		t.Fatal(err)
	}
	var out bytes.Buffer
	if _, err := NewWriter(&out).Write(encoded); err != nil {
		t.Fatal(err)
	}
	var got string
	if err := json.Unmarshal(out.Bytes(), &got); err != nil || got != want {
		t.Errorf("%s reads as %q (%v), want %q", out.String(), got, err, want)
	}
}

func TestName(t *testing.T) {
	f := func(in, want string) {
		t.Helper()
		if got := Name(in); got != want {
			t.Errorf("Name(%q) = %s, want %s", in, got, want)
		}
	}
	f("product_id", "product_id")
	f("Größe in cm", "Größe in cm")
	f("", `""`)
	f("\u00a0id", `"\u00a0id" (with a no-break space)`)
	f("\ufeffid\r", `"\ufeffid\r" (with a byte order mark and a carriage return)`)
	f("id ", `"id " (with a space at its beginning or end)`)
	f("\x1b[2Jid", `"\x1b[2Jid" (with an escape character)`)
	f("i\u202ed", `"i\u202ed" (with the character U+202E)`)
	f("\xffid", `"\xffid" (with bytes that are not UTF-8)`)
	if got := Name(strings.Repeat("x", 1<<20)); len(got) > 300 {
		t.Errorf("a long name has %d bytes in a message", len(got))
	}
}

func TestCommandLineHidesURLs(t *testing.T) {
	f := func(message string, args ...string) {
		t.Helper()
		got := CommandLine(errors.New(message), args)
		for _, piece := range []string{"secret", "part"} {
			if strings.Contains(got, piece) {
				t.Errorf("CommandLine(%q, %q) = %s", message, args, got)
			}
		}
	}
	f("unexpected argument part", "run", "--database", "postgres://etl:secret", "part", "of@host/db")
	f("unexpected argument postgres://etl:secret@host/db", "run", "postgres://etl:secret@host/db")
	f("unknown flag --databse=postgres://etl:secret@host/db", "run", "--databse=postgres://etl:secret@host/db")
	f(`--mode: must be one of "auto","delta" but got "postgres://etl:secret@host/db"`, "run", "--mode", "postgres://etl:secret@host/db")
	f(`--streams: expected a valid 64 bit int but got "etl:secret@host"`, "run", "--streams=etl:secret@host")
	f(`unexpected argument password=secret`, "run", "--database", "host=h", "password=secret")
	f(`--cache: no node (from envar CACHE_NODES="http://cache:secret@host:8281,\n\"part@")`, "refresh")
	f(`--streams: expected a valid 64 bit int but got "etl:secret@host" (from envar STREAMS="etl:secret@host")`, "run")
	if want := `--cache: no node (from envar CACHE_NODES="cache-a:8281")`; CommandLine(errors.New(want), nil) != want {
		t.Error("a variable that is no secret is hidden")
	}
	if got := CommandLine(errors.New("unexpected argument more"), []string{"run", "more"}); got != "unexpected argument more" {
		t.Errorf("an argument that is no secret is hidden: %s", got)
	}
}
