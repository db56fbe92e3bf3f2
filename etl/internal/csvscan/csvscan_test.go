package csvscan

import (
	"bytes"
	"encoding/csv"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"testing"
	"testing/iotest"
)

// record is an expected record. Its fields are formatted with their damage.
type record struct {
	line, offset int64
	fields       string
}

func show(s *Scanner) record {
	marks := map[Damage]string{Unclosed: "unclosed:", TextAfterQuote: "after:", BareQuote: "bare:"}
	var fields []string
	for _, field := range s.Fields() {
		text := marks[field.Damage] + string(field.Text)
		if field.Quoted {
			text = "'" + text + "'"
		}
		fields = append(fields, text)
	}
	return record{s.Line(), s.Offset(), strings.Join(fields, "|")}
}

func TestScan(t *testing.T) {
	trim, many := Dialect{TrimSpaces: true}, Dialect{Multiline: true}
	cases := []struct {
		name    string
		dialect Dialect
		in      string
		want    []record
	}{
		{"nothing", Dialect{}, "", nil},
		{"only line ends", Dialect{}, "\n\r\n\n", nil},
		{"one line without an end", Dialect{}, "1,2", []record{{1, 0, "1|2"}}},
		{"line feeds", Dialect{}, "1,2\n3,4\n", []record{{1, 0, "1|2"}, {2, 4, "3|4"}}},
		{"carriage returns", Dialect{}, "1,2\r\n3,4\r\n", []record{{1, 0, "1|2"}, {2, 5, "3|4"}}},
		{"byte order mark", Dialect{}, "\xef\xbb\xbf1\n2\n", []record{{1, 0, "1"}, {2, 5, "2"}}},
		{"byte order mark before a quote", Dialect{}, "\xef\xbb\xbf\"1\"\n", []record{{1, 0, "'1'"}}},
		{"an empty line is no record", Dialect{}, "1\n\n2", []record{{1, 0, "1"}, {3, 3, "2"}}},
		{"empty fields", Dialect{}, ",\n\"\",", []record{{1, 0, "|"}, {2, 2, "''|"}}},
		{"quotes", Dialect{}, `1,"a,b",2`, []record{{1, 0, "1|'a,b'|2"}}},
		{"doubled quotes", Dialect{}, `"say ""yes""","""",2`, []record{{1, 0, `'say "yes"'|'"'|2`}}},
		{"null bare and quoted", Dialect{}, `null,"null"`, []record{{1, 0, `null|'null'`}}},
		{"another delimiter", Dialect{Delimiter: ";"}, `1;"a;b";c,d`, []record{{1, 0, `1|'a;b'|c,d`}}},

		{"long delimiter", Dialect{Delimiter: "+|"}, "1+|\"a+|b\"+|+|c+d|+|\n+\n", []record{{1, 0, "1|'a+|b'||c+d||"}, {2, 20, "+"}}},
		{"long delimiter, doubled quotes", Dialect{Delimiter: "ab"}, `"x""y"ab""""ab`, []record{{1, 0, `'x"y'|'"'|`}}},
		{"long delimiter, spaces trimmed", Dialect{Delimiter: "+|", TrimSpaces: true}, "a +| +|\t\"b \" +| ", []record{{1, 0, "a||'b '|"}}},
		{"long delimiter, no closing quote", Dialect{Delimiter: "+|"}, `1+|"a+|`, []record{{1, 0, "1|'unclosed:a+|'"}}},
		{
			"long delimiter, damage",
			Dialect{Delimiter: "+|"},
			`1+|"a" b+|c"d+|"e"+`,
			[]record{{1, 0, `1|'after:"a" b'|bare:c"d|'after:"e"+'`}},
		},
		{"no quotes", Dialect{NoQuotes: true}, "\"a,b\"\n5\" x\"\"y,\n\"", []record{{1, 0, `"a|b"`}, {2, 6, `5" x""y|`}, {3, 15, `"`}}},
		{"no quotes, long delimiter", Dialect{Delimiter: "+|", NoQuotes: true}, "+|\"a+|+", []record{{1, 0, `|"a|+`}}},
		{"no quotes, spaces trimmed", Dialect{Delimiter: "\t", TrimSpaces: true, NoQuotes: true}, " \"a \t\t b", []record{{1, 0, `"a||b`}}},
		{"records of several lines", many, "1,\"a\nb\",2\r\n3,4\n\"\r\n\"\r\n", []record{{1, 0, "1|'a\nb'|2"}, {3, 11, "3|4"}, {4, 15, "'\r\n'"}}},
		{"a record of several lines at the end", many, "1,\"\n\n\"\"x\"", []record{{1, 0, "1|'\n\n\"x'"}}},
		{"a byte order mark, several lines", many, "\xef\xbb\xbf\"\n\"\n2", []record{{1, 0, "'\n'"}, {3, 7, "2"}}},
		{"several lines, empty ones between", many, "\n\"\n\"\n\n2\n", []record{{2, 1, "'\n'"}, {5, 6, "2"}}},
		{"several lines and an open quote at the end", many, "1,\"a\n2,b\n", []record{{1, 0, "1|'unclosed:a'"}, {2, 5, "2|b"}}},
		{"several lines and a missing quote", many, "1,\"a\n2,\"b\"\n", []record{{1, 0, "1|'unclosed:a'"}, {2, 5, "2|'b'"}}},
		{"several lines and damage before them", many, "x\"y,\"a\n\",2\n", []record{{1, 0, "bare:x\"y|'unclosed:a'"}, {2, 7, "'unclosed:,2'"}}},
		{"several lines and damage in them", many, "1,\"a\n\"b,2\n", []record{{1, 0, "1|'unclosed:a'"}, {2, 5, "'unclosed:b,2'"}}},
		{
			"several lines, a long delimiter and spaces",
			Dialect{Delimiter: "+|", TrimSpaces: true, Multiline: true},
			"1+| \"a+|\n\" +|+\n2+|3",
			[]record{{1, 0, "1|'a+|\n'|+"}, {3, 15, "2|3"}},
		},

		{"spaces kept", Dialect{}, "a , b", []record{{1, 0, "a | b"}}},
		{"a tab that separates is no space", Dialect{Delimiter: "\t", TrimSpaces: true}, "1\t\t B \t\n", []record{{1, 0, "1||B|"}}},
		{"spaces trimmed", trim, "a , \t140, \"b \" , ", []record{{1, 0, "a|140|'b '|"}}},

		{"no closing quote", Dialect{}, "1,\"a,b\n2,\"c\"\n", []record{{1, 0, "1|'unclosed:a,b'"}, {2, 7, "2|'c'"}}},
		{"no closing quote after a doubled one", Dialect{}, `1,"a""b`, []record{{1, 0, `1|'unclosed:a"b'`}}},
		{"a doubled quote at the end", Dialect{}, `1,"a""`, []record{{1, 0, `1|'unclosed:a"'`}}},
		{"only an opening quote", Dialect{}, `1,"`, []record{{1, 0, `1|'unclosed:'`}}},
		{"text after the closing quote", trim, `1,"price": 49,2`, []record{{1, 0, `1|'after:"price": 49'|2`}}},
		{"text after the last closing quote", Dialect{}, `1,"price": 49`, []record{{1, 0, `1|'after:"price": 49'`}}},
		{"a quote in a bare field", Dialect{}, `1,5" pipe,2`, []record{{1, 0, `1|bare:5" pipe|2`}}},
		{"a space before a quote is text", Dialect{}, `1, "a"`, []record{{1, 0, `1|bare: "a"`}}},
	}
	readers := map[string]func(io.Reader) io.Reader{
		"whole":     func(r io.Reader) io.Reader { return r },
		"bytewise":  iotest.OneByteReader,
		"with EOF":  iotest.DataErrReader,
		"hesitates": func(r io.Reader) io.Reader { return &hesitant{reader: r} },
	}
	for _, c := range cases {
		for how, reader := range readers {
			t.Run(c.name+"/"+how, func(t *testing.T) {
				scanner := New(reader(strings.NewReader(c.in)), c.dialect)
				var got []record
				for scanner.Scan() {
					got = append(got, show(scanner))
				}
				if scanner.Err() != nil {
					t.Fatalf("Err() = %v", scanner.Err())
				}
				if len(got) != len(c.want) {
					t.Fatalf("%q: %d records %v, want %v", c.in, len(got), got, c.want)
				}
				for i := range got {
					if got[i] != c.want[i] {
						t.Errorf("%q: record %d is %v, want %v", c.in, i, got[i], c.want[i])
					}
				}
				if scanner.BytesRead() != int64(len(c.in)) {
					t.Errorf("%q: BytesRead() = %d, want %d", c.in, scanner.BytesRead(), len(c.in))
				}
			})
		}
	}
}

// hesitant returns no data from every second Read, which io.Reader allows.
type hesitant struct {
	reader io.Reader
	calls  int
}

func (h *hesitant) Read(p []byte) (int, error) {
	if h.calls++; h.calls%2 == 1 {
		return 0, nil
	}
	return h.reader.Read(p)
}

func TestScanReadError(t *testing.T) {
	broken := errors.New("disk on fire")
	scanner := New(io.MultiReader(strings.NewReader("1\n2\n3"), iotest.ErrReader(broken)), Dialect{})
	var got []string
	for scanner.Scan() {
		got = append(got, string(scanner.Raw()))
	}
	// The third line may be incomplete, so Scan must not return it.
	if strings.Join(got, " ") != "1 2" || !errors.Is(scanner.Err(), broken) {
		t.Errorf("scanned %q, Err() = %v; want 1 and 2, and the reader's error", got, scanner.Err())
	}
	stuck := New(readerFunc(func([]byte) (int, error) { return 0, nil }), Dialect{})
	if stuck.Scan() || !errors.Is(stuck.Err(), io.ErrNoProgress) {
		t.Errorf("a reader that returns no data: Err() = %v, want io.ErrNoProgress", stuck.Err())
	}
}

type readerFunc func([]byte) (int, error)

func (f readerFunc) Read(p []byte) (int, error) { return f(p) }

func TestEnded(t *testing.T) {
	for in, want := range map[string]bool{"1\n2\n": true, "1\n2": false} {
		scanner := New(strings.NewReader(in), Dialect{})
		for scanner.Scan() {
		}
		if scanner.Ended() != want {
			t.Errorf("%q: Ended() = %v at the last record, want %v", in, scanner.Ended(), want)
		}
	}
}

func TestEndedAfterTake(t *testing.T) {
	scanner := New(strings.NewReader("1\n2\n"), Dialect{})
	scanner.Ahead(4)
	scanner.Take(4, 2)
	if scanner.Scan() || !scanner.Ended() {
		t.Error("Ended() = false after complete lines")
	}
}

func TestScanLongLines(t *testing.T) {
	for _, size := range []int{
		readSize - 1, readSize, readSize + 1, MaxLine - 1, MaxLine, MaxLine + 1, MaxLine + 2, MaxLine + 3, 5 * MaxLine,
	} {
		for _, end := range []string{"\n", "\r\n", ""} {
			long := strings.Repeat("x", size) + end
			in := "1,2\n" + long
			if end != "" {
				in += "3,4\n"
			}
			scanner := New(strings.NewReader(in), Dialect{})
			scanner.Scan()
			if !scanner.Scan() {
				t.Fatalf("a line of %d bytes: no record, %v", size, scanner.Err())
			}
			if scanner.TooLong() != (size > MaxLine) || scanner.Line() != 2 || scanner.Offset() != 4 || len(scanner.Raw()) != min(size, MaxLine) {
				t.Errorf("a line of %d bytes with end %q: too long %v, line %d, offset %d, %d bytes of it", size, end,
					scanner.TooLong(), scanner.Line(), scanner.Offset(), len(scanner.Raw()))
			}
			if end != "" && (!scanner.Scan() || show(scanner) != record{3, int64(4 + len(long)), "3|4"} || scanner.TooLong()) {
				t.Errorf("after a line of %d bytes with end %q: %v", size, end, show(scanner))
			}
			if scanner.Scan() || scanner.Err() != nil {
				t.Errorf("a line of %d bytes with end %q: more records than lines, or %v", size, end, scanner.Err())
			}
			if len(scanner.buffer) > 4*MaxLine {
				t.Errorf("a line of %d bytes took a buffer of %d", size, len(scanner.buffer))
			}
		}
	}
}

// TestScanCarriageReturnAtMaxLine covers a long line whose kept part ends in a carriage return.
func TestScanCarriageReturnAtMaxLine(t *testing.T) {
	for at := MaxLine - 3; at <= MaxLine+3; at++ {
		for _, rest := range []string{"12345", strings.Repeat("TAIL", MaxLine)} {
			scanner := New(iotest.HalfReader(strings.NewReader(strings.Repeat("x", at)+"\r"+rest)), Dialect{})
			if !scanner.Scan() || !scanner.TooLong() || len(scanner.Raw()) != MaxLine || scanner.Scan() {
				t.Errorf("a carriage return at byte %d of a long last line: TooLong() = false, and Raw() has %d bytes", at, len(scanner.Raw()))
			}
		}
		in := strings.Repeat("x", at) + "\r" + strings.Repeat("TAIL", MaxLine) + "\n1,2\n"
		scanner := New(strings.NewReader(in), Dialect{})
		if !scanner.Scan() || !scanner.TooLong() {
			t.Errorf("a carriage return at byte %d of a long line: TooLong() = false, and Raw() has %d bytes", at, len(scanner.Raw()))
		}
		if !scanner.Scan() || (show(scanner) != record{2, int64(len(in) - 4), "1|2"}) {
			t.Errorf("after it: %v", show(scanner))
		}
	}
}

func TestScanAllocatesNothingPerRecord(t *testing.T) {
	in := []byte(strings.Repeat("1,1,\"XS\",8\n2,1,\"a \"\"b\"\"\",null\n", 50_000))
	reader := bytes.NewReader(in)
	scanner := New(reader, Dialect{TrimSpaces: true})
	scanner.Scan()
	if n := testing.AllocsPerRun(90_000, func() { scanner.Scan() }); n != 0 {
		t.Errorf("%v allocations per record, want 0", n)
	}
}

// FuzzAgainstEncodingCSV compares the scanner with encoding/csv for input in which no field spans lines. Input that encoding/csv
// rejects must be damaged. With long, every comma of the input is replaced by a long delimiter.
func FuzzAgainstEncodingCSV(f *testing.F) {
	addSeeds(
		f, "", "a,b\n1,2\n", "\"a\"\"b\",c\r\n\r\n,\n", "1,\"open\n2,\"x\"\n", "1,\"a\" b\n", "5\" pipe,2", "\r", "a\r\rb\n", "\"\"\"\"", "\xef\xbb\xbfa",
		// From the fuzzer: a minimal set of inputs for statements that the seeds above do not reach.
		`"""`, `""0,`, strings.Repeat(",", 16),
	)
	f.Fuzz(func(t *testing.T, in []byte, long bool) {
		p, ok := newPeer(in, long, Dialect{})
		if !ok || slices.ContainsFunc(p.want, func(fields []string) bool { return strings.Contains(strings.Join(fields, ""), "\n") }) {
			return // a field that spans lines, which this dialect excludes
		}
		got, damaged := scanAll(t, p.scanner)
		p.compare(t, got, damaged)
	})
}

// addSeeds adds each seed for delimiters of one and of two bytes.
func addSeeds(f *testing.F, seeds ...string) {
	for _, seed := range seeds {
		f.Add([]byte(seed), false)
		f.Add([]byte(seed), true)
	}
}

// peer is an input with what encoding/csv reads from it.
type peer struct {
	text    []byte
	scanner *Scanner
	want    [][]string
	err     error
}

// newPeer reads an input with encoding/csv, and returns a scanner for it. If long, all commas of the text that is scanned are a delimiter of
// two bytes. ok is false for an input that encoding/csv reads otherwise.
func newPeer(in []byte, long bool, dialect Dialect) (_ *peer, ok bool) {
	if bytes.HasPrefix(in, byteOrderMark) || long && bytes.ContainsAny(in, "+|") {
		return nil, false // encoding/csv does not skip it
	}
	p := &peer{text: in}
	reader := csv.NewReader(bytes.NewReader(in))
	reader.FieldsPerRecord = -1
	p.want, p.err = reader.ReadAll()
	if long {
		const delimiter = "+|"
		dialect.Delimiter = delimiter
		p.text = bytes.ReplaceAll(in, []byte(","), []byte(delimiter))
		for _, fields := range p.want {
			for i := range fields {
				fields[i] = strings.ReplaceAll(fields[i], ",", delimiter)
			}
		}
	}
	// The buffer is so small that most lines need several reads, and moves or growth of the buffer.
	p.scanner = tight(bytes.NewReader(p.text), dialect, 1+len(p.text)%13)
	return p, true
}

// compare compares records. Input that encoding/csv rejects must be damaged, and no other input.
func (p *peer) compare(t *testing.T, got [][]string, damaged bool) {
	t.Helper()
	switch {
	case p.err != nil && !damaged:
		t.Fatalf("no damage in %q, but encoding/csv returns %v", p.text, p.err)
	case p.err == nil && (damaged || !slices.EqualFunc(got, p.want, slices.Equal[[]string])):
		t.Fatalf("%q: records %q (damaged %v), want %q", p.text, got, damaged, p.want)
	}
}

// scanAll returns the texts of all fields, and whether any is damaged.
func scanAll(t *testing.T, scanner *Scanner) (records [][]string, damaged bool) {
	t.Helper()
	for scanner.Scan() {
		var fields []string
		for _, field := range scanner.Fields() {
			fields = append(fields, string(field.Text))
			damaged = damaged || field.Damage != Sound
		}
		records = append(records, fields)
	}
	if scanner.Err() != nil {
		t.Fatalf("Err() = %v", scanner.Err())
	}
	return records, damaged
}

// FuzzMultiline compares the scanner of records of several lines with encoding/csv. Input that encoding/csv rejects must be damaged, and no
// byte of it may be lost. With long, every comma of the input is replaced by a long delimiter.
func FuzzMultiline(f *testing.F) {
	addSeeds(
		f, "", "a,b\n1,2\n", "\"a\"\"b\",c\r\n\r\n,\n", "1,\"open\n2,\"x\"\n", "1,\"a\nb\"\"\r\n\r\n\",\"\n\"\n2,3\n", "x\",\",\nx\",\",\n\"\n",
		"\"\n\"\r", "\"\n\"\rx", "\"\r", "\n\n\"\n\n\"\n", "1,\"\n2,\"\"\n",
	)
	f.Fuzz(func(t *testing.T, in []byte, long bool) {
		p, ok := newPeer(in, long, Dialect{Multiline: true})
		if !ok {
			return
		}
		scanner, in := p.scanner, p.text
		var got [][]string
		damaged, at, line := false, int64(0), int64(1)
		for scanner.Scan() {
			if skipped := in[at:scanner.Offset()]; len(bytes.Trim(skipped, "\r\n")) > 0 {
				t.Fatalf("%q: %q is skipped", in, skipped)
			}
			line += int64(bytes.Count(in[at:scanner.Offset()], []byte("\n")))
			at = scanner.BytesRead()
			record := in[scanner.Offset():at]
			if scanner.Line() != line || !bytes.Equal(bytes.TrimRight(record, "\r\n"), bytes.TrimRight(scanner.Raw(), "\r\n")) {
				t.Fatalf("%q: line %d is %q, want line %d, %q", in, scanner.Line(), scanner.Raw(), line, record)
			}
			line += int64(bytes.Count(record, []byte("\n")))
			var fields []string
			for _, field := range scanner.Fields() {
				fields = append(fields, string(bytes.ReplaceAll(field.Text, []byte("\r\n"), []byte("\n")))) // as encoding/csv does
				damaged = damaged || field.Damage != Sound
			}
			got = append(got, fields)
		}
		if rest := in[at:]; scanner.Err() != nil || len(bytes.Trim(rest, "\r\n")) > 0 {
			t.Fatalf("%q: %q is not read (%v)", in, rest, scanner.Err())
		}
		p.compare(t, got, damaged)
	})
}

// TestMultilineBounds reads records about as long as the limit, and the lines after one that is longer.
func TestMultilineBounds(t *testing.T) {
	for _, end := range []string{"\n", "\r\n", ""} {
		for size := MaxLine - 1; size <= MaxLine+2; size++ {
			text := strings.Repeat("x\n", size)[:size-len("1,\"\"")]
			scanner := New(iotest.HalfReader(strings.NewReader("0\n1,\""+text+"\""+end)), Dialect{Multiline: true})
			scanner.Scan()
			if !scanner.Scan() || scanner.Line() != 2 || scanner.TooLong() {
				t.Fatalf("%d bytes: line %d, too long %v", size, scanner.Line(), scanner.TooLong())
			}
			last := scanner.Fields()[1]
			if whole := last.Damage == Sound && string(last.Text) == text; whole != (size <= MaxLine) {
				t.Errorf("a record of %d bytes: whole %v, damage %v, %d bytes", size, whole, last.Damage, len(last.Text))
			}
			lines := int64(3 + strings.Count(text, "\n"))
			for more := size > MaxLine; more; {
				more = scanner.Scan()
			}
			if scanner.Scan() || scanner.Line() != lines-1 || scanner.Err() != nil {
				t.Errorf("a record of %d bytes: at the end in line %d, want %d (%v)", size, scanner.Line(), lines-1, scanner.Err())
			}
			if len(scanner.buffer) > 8*MaxLine {
				t.Errorf("a record of %d bytes took a buffer of %d", size, len(scanner.buffer))
			}
		}
	}
}

// TestMultilineReadsAheadOnce reads files of which a naive scanner would read a megabyte for each line, which takes hours.
func TestMultilineReadsAheadOnce(t *testing.T) {
	for _, line := range []string{"x\",\",\n", "1,\"\"\"\"\"\n", "a\"b,\"c\n", "1,\"\"\"x\n", "\",\"\n", "\"\"\",\n"} {
		scanner := New(strings.NewReader(strings.Repeat(line, 400_000)), Dialect{Multiline: true})
		for scanner.Scan() {
		}
		if scanner.Err() != nil || scanner.Line() != 400_000 {
			t.Errorf("%q: read to line %d (%v)", line, scanner.Line(), scanner.Err())
		}
	}
}

// TestLines reads records whose numbers of lines are known.
func TestLines(t *testing.T) {
	in := "1,\"a\n2,\"b\nc\"\n3,\"\n4,\"\n\n\"\n5\n"
	scanner := New(iotest.OneByteReader(strings.NewReader(in)), Dialect{Multiline: true})
	counts := []int{1, 2, 1, 3}
	scanner.Lines(func() int {
		count := counts[0]
		counts = counts[1:]
		return count
	})
	var got []string
	for scanner.Scan() {
		got = append(got, fmt.Sprintf("%d:%q", scanner.Line(), scanner.Raw()))
	}
	if want := `1:"1,\"a" 2:"2,\"b\nc\"" 4:"3,\"" 5:"4,\"\n\n\"" 8:"5"`; strings.Join(got, " ") != want {
		t.Errorf("got %s, want %s", strings.Join(got, " "), want)
	}
}

// FuzzNoQuotes compares the scanner without quotes with bytes.Split.
func FuzzNoQuotes(f *testing.F) {
	for _, seed := range []string{"", "a,b\n1,2\n", "\"a\"\"b\",c\r\n\r\n,\n", "a\r\rb\n", "+|x+|+|\n", "\xef\xbb\xbf\"", strings.Repeat(",", 16)} {
		f.Add([]byte(seed), ",")
		f.Add([]byte(seed), "+|")
	}
	f.Fuzz(func(t *testing.T, in []byte, delimiter string) {
		if delimiter == "" || strings.ContainsAny(delimiter, "\r\n") {
			return
		}
		var want [][]string
		for i, line := range bytes.Split(in, []byte("\n")) {
			line = bytes.TrimSuffix(line, []byte("\r"))
			if i == 0 {
				line = bytes.TrimPrefix(line, byteOrderMark)
			}
			if len(line) > 0 {
				want = append(want, strings.Split(string(line), delimiter))
			}
		}
		got, damaged := scanAll(t, tight(bytes.NewReader(in), Dialect{Delimiter: delimiter, NoQuotes: true}, 1+len(in)%13))
		if damaged || !slices.EqualFunc(got, want, slices.Equal[[]string]) {
			t.Fatalf("%q: records %q (damaged %v), want %q", in, got, damaged, want)
		}
	})
}

func BenchmarkScan(b *testing.B) {
	inputs := map[string]string{
		"skus":   "1,1,\"XS\",8\n",
		"photos": "1,1,\"https://images.example.com/photo-1501088430049-71c79fa3283e?ixlib=rb-1.2.1&w=668&q=80\",\"https://images.example.com/photo-1501088430049-71c79fa3283e?w=300&q=80\"\n",
	}
	for name, line := range inputs {
		b.Run(name, func(b *testing.B) {
			in := []byte(strings.Repeat(line, 16<<20/len(line)))
			b.SetBytes(int64(len(in)))
			b.ReportAllocs()
			for b.Loop() {
				scanner := New(bytes.NewReader(in), Dialect{TrimSpaces: true})
				records := 0
				for scanner.Scan() {
					records++
				}
				if records != len(in)/len(line) {
					b.Fatalf("%d records, want %d", records, len(in)/len(line))
				}
			}
		})
	}
}
