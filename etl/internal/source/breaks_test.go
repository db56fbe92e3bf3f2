package source

import (
	"fmt"
	"io"
	"strings"
	"testing"
	"testing/iotest"

	"systemscale/etl/internal/csvscan"
	"systemscale/etl/internal/shape"
)

// noteSpec has keys, a text that may hold line ends, and another column after it.
func noteSpec() *shape.Source {
	return &shape.Source{
		Name: "notes", File: "notes.csv", Key: shape.Indices{0}, Parent: 0, ParentKey: shape.Indices{1},
		Columns: []shape.Column{
			{Name: "id", Type: shape.Int},
			{Name: "item", Type: shape.Int},
			{Name: "title", Type: shape.Text},
			{Name: "text", Type: shape.Text, Nullable: true},
		},
		Rendered: []int{2, 3},
	}
}

// outcomes reads a file and returns the outcome of each line, in order: the rows, and the line numbers of rejects with the reason.
func outcomes(t *testing.T, in io.Reader, dialect *shape.Dialect) (lines string, counts Counts) {
	t.Helper()
	sink := &memory{}
	reader, err := NewReader(in, noteSpec(), dialect, sink, Options{})
	if err != nil {
		t.Fatal(err)
	}
	var all []string
	for {
		shown := len(sink.rejects)
		more, err := reader.Next()
		if err != nil {
			t.Fatal(err)
		}
		for _, r := range sink.rejects[shown:] {
			all = append(all, strings.Join(strings.Fields(fmt.Sprintf("%d %s %s", r.Line, r.Column, r.Reason)), " "))
		}
		if !more {
			break
		}
		all = append(all, lastRow(t, reader.Rows()))
	}
	reader.Release()
	counts = reader.Counts()
	if n := counts.Unreconciled(); n != 0 {
		t.Errorf("%d rows are unreconciled", n)
	}
	return strings.Join(all, "; "), counts
}

func TestLineBreaksInQuotes(t *testing.T) {
	long := strings.Repeat("long", 100_000) // longer than one read
	cases := []struct{ name, in, want string }{
		{"a missing quote", "1,1,\"a\",\"b\n2,1,\"c\",\"d\"\n", `[1,1,"a","b"]; [2,1,"c","d"]`},
		{"a missing quote, CRLF", "1,1,\"a\",\"b\r\n2,1,\"c\",\"d\"\r\n", `[1,1,"a","b"]; [2,1,"c","d"]`},
		{"missing quotes in two lines", "1,1,\"a\",\"b\n2,1,\"c\",\"d\n3,1,e,f\n", `[1,1,"a","b"]; [2,1,"c","d"]; [3,1,"e","f"]`},
		{"a missing quote, and no quote after it", "1,1,a,\"b\n2,1,c,d\n3,1,e,f\n", `[1,1,"a","b"]; [2,1,"c","d"]; [3,1,"e","f"]`},
		{
			"a missing quote, and an empty text after it", "1,1,a,\"b\n2,1,\"\",\"\"\n3,1,\"\",f\n",
			`[1,1,"a","b"]; [2,1,"",""]; [3,1,"","f"]`,
		},
		{
			"a missing quote before a row that is rejected for another reason", "1,1,a,\"b\n2,1,c,d\xff\n3,1,e,f\n",
			`[1,1,"a","b"]; 3 not UTF-8; [3,1,"e","f"]`,
		},
		{"a missing quote before an empty line", "1,1,a,\"b\n\n2,1,c,d\n", `[1,1,"a","b"]; [2,1,"c","d"]`},
		{
			"a missing quote and a long row", "1,1,a,\"b\n2,1,c," + long + "\n3,1,e,f\n",
			`[1,1,"a","b"]; [2,1,"c","` + long + `"]; [3,1,"e","f"]`,
		},
		{"a missing quote in another column", "1,1,\"a,b\n2,1,c,d\n", "2 title unclosed quote; [2,1,\"c\",\"d\"]"},

		{"a line break", "1,1,\"a\",\"b\nc\"\n2,1,d,e\n", "2 text line break in quotes; 3 line break in quotes; [2,1,\"d\",\"e\"]"},
		{
			"a line break, CRLF", "1,1,\"a\",\"b\r\nc\"\r\n2,1,d,e\r\n",
			"2 text line break in quotes; 3 line break in quotes; [2,1,\"d\",\"e\"]",
		},
		{
			"several line breaks", "1,1,\"a\",\"b\n\n\nc\n\"\"d\"\", e\n\"\n2,1,d,e\n",
			"2 text line break in quotes; 5 line break in quotes; 6 line break in quotes; 7 line break in quotes; [2,1,\"d\",\"e\"]",
		},
		{
			"a line break at the file's end", "2,1,d,e\n1,1,\"a\",\"b\nc\"\n",
			"[2,1,\"d\",\"e\"]; 3 text line break in quotes; 4 line break in quotes",
		},
		{
			"a line break at the file's end, without a line end", "2,1,d,e\n1,1,\"a\",\"b\nc\"",
			"[2,1,\"d\",\"e\"]; 3 text line break in quotes; 4 line break in quotes",
		},
		{
			"a line break in another column", "1,1,\"a\nb\",c\n2,1,d,e\n",
			"2 title line break in quotes; 3 line break in quotes; [2,1,\"d\",\"e\"]",
		},
		{
			"line breaks in two columns", "1,1,\"a\nb\",\"c\nd\"\n2,1,d,e\n",
			"2 title line break in quotes; 3 line break in quotes; 4 line break in quotes; [2,1,\"d\",\"e\"]",
		},
		{
			"a line that looks like a row", "1,1,\"a\",\"b\n7,1,x,y\nc\"\n2,1,d,e\n",
			"2 text line break in quotes; 3 line break in quotes; 4 line break in quotes; [2,1,\"d\",\"e\"]",
		},
		{
			"a line that looks like a row, at the end", "1,1,\"a\",\"b\n7,1,x,y\"\n2,1,d,e\n",
			"2 text line break in quotes; 3 line break in quotes; [2,1,\"d\",\"e\"]",
		},
		{
			"lines that look like rows, many", "1,1,\"a\",\"b\n" + strings.Repeat("7,1,x,y\n", 60) + "c\"\n2,1,d,e\n",
			"2 text line break in quotes; " + func() string {
				var lines string
				for i := 3; i < 64; i++ {
					lines += fmt.Sprintf("%d line break in quotes; ", i)
				}
				return lines
			}() + "[2,1,\"d\",\"e\"]",
		},
		{
			"a long text", "1,1,\"a\",\"b\n" + long + "\n" + long + "\"\n2,1,d,e\n",
			"2 text line break in quotes; 3 line break in quotes; 4 line break in quotes; [2,1,\"d\",\"e\"]",
		},
		{
			"a line break and quotes that nothing explains", "1,1,\"a\",\"b\nc \"d\" e\nf\n2,1,d,e\n",
			"2 text line break in quotes; 3 line break in quotes; 4 line break in quotes; [2,1,\"d\",\"e\"]",
		},
		{
			"a line break before a line of words without keys", "1,1,\"a\",\"b\none, two, three, \"four\n2,1,d,e\n",
			"2 text line break in quotes; 3 line break in quotes; [2,1,\"d\",\"e\"]",
		},

		{"a missing quote at the file's end", "1,1,\"a\",\"b\n", "2 truncated"},
		{"a line break at which the file ends", "2,1,d,e\n1,1,\"a\",\"b\nc\n", "[2,1,\"d\",\"e\"]; 3 truncated; 4 line break in quotes"},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			pieces := iotest.OneByteReader
			if len(c.in) > len(long) { // one byte at a time takes minutes with the race detector
				pieces = iotest.HalfReader
			}
			text := "id,item,title,text\n" + c.in
			for kind, in := range map[string]io.Reader{"at once": strings.NewReader(text), "in pieces": pieces(strings.NewReader(text))} {
				if got, _ := outcomes(t, in, dialect); got != c.want {
					t.Errorf("%s:\n%.600s, want\n%.600s", kind, got, c.want)
				}
			}
		})
	}
	t.Run("where quotes are not closed", func(t *testing.T) {
		strict := *dialect
		strict.CloseQuotes = false
		const in = "id,item,title,text\n1,1,a,\"b\n2,1,c,\"d\ne\"\n3,1,f,g\n"
		const want = `2 text unclosed quote; 3 text line break in quotes; 4 line break in quotes; [3,1,"f","g"]`
		if got, _ := outcomes(t, strings.NewReader(in), &strict); got != want {
			t.Errorf("got %s, want %s", got, want)
		}
	})
}

// TestLookAheadIsBounded reads a file whose lines all have an open quote that no line closes.
func TestLookAheadIsBounded(t *testing.T) {
	in := "id,item,title,text\n" + strings.Repeat("1,1,a,\"b\n", 100_000)
	_, counts := outcomes(t, strings.NewReader(in), dialect)
	if counts.Repaired[RepairedQuote] != 99_999 || counts.Rejected[Truncated] != 1 || counts.Ending.Fault != FaultQuotes {
		t.Errorf("%+v", counts)
	}
	broken := iotest.ErrReader(io.ErrClosedPipe)
	input := io.MultiReader(strings.NewReader("id,item,title,text\n1,1,a,\"b\n"), broken)
	reader, err := NewReader(input, noteSpec(), dialect, &memory{}, Options{})
	if err != nil {
		t.Fatal(err)
	}
	for more := true; more && err == nil; {
		more, err = reader.Next()
	}
	if err == nil {
		t.Error("a file that cannot be read on is read to its end")
	}
}

func TestEnding(t *testing.T) {
	cases := []struct {
		in   string
		want Ending
	}{
		{"1,1,a,b\n", Ending{Line: 2, Newline: true}},
		{"1,1,a,b\n\n\n", Ending{Line: 4, Newline: true}},
		{"1,1,a,b", Ending{Line: 2}},
		{"1,1,a,\"b\"", Ending{Line: 2}},
		{"", Ending{Line: 1, Newline: true}},
		{"1,1,a,b\n2,1,c", Ending{Line: 3, Fault: FaultRejected + Fault(FieldCount)}},
		{"1,1,a,b\n2", Ending{Line: 3, Fault: FaultRejected + Fault(FieldCount)}},
		{"1,1,a,b\n2,1,c,\xc3", Ending{Line: 3, Fault: FaultRejected + Fault(NotUTF8)}},
		{"1,1,a,b\n" + strings.Repeat("\x00", 5000), Ending{Line: 3, Fault: FaultRejected + Fault(NULByte)}},
		{"1,1,a,b\n" + strings.Repeat("x", 2*csvscan.MaxLine), Ending{Line: 3, Fault: FaultRejected + Fault(LineTooLong)}},
		{"1,1,a,b\n2,1,c,\"d", Ending{Line: 3, Fault: FaultQuotes}},
		{"1,1,a,b\n2,1,\"c", Ending{Line: 3, Fault: FaultQuotes}},
		{"1,1,a,b\n2,1,c,\"d\"\"", Ending{Line: 3, Fault: FaultQuotes}},
		{"1,1,a,b\n2,1,c,\"d\n", Ending{Line: 3, Newline: true, Fault: FaultQuotes}},
		{"1,1,a,b\n2,1,\"c\n", Ending{Line: 3, Newline: true, Fault: FaultQuotes}},
		{"1,1,a,b\n2,1,c,\"d\ne\n", Ending{Line: 4, Newline: true, Fault: FaultQuotes}},
		{"1,1,a,b\n2,1,c,\"d\ne", Ending{Line: 4, Fault: FaultQuotes}},
		{"1,1,a,b\r\n2,1,c,d\r", Ending{Line: 3, Fault: FaultLineEnd}},
		{"1,1,a,b\r\n\r", Ending{Line: 3, Fault: FaultLineEnd}},
	}
	for _, c := range cases {
		_, counts := outcomes(t, strings.NewReader("id,item,title,text\n"+c.in), dialect)
		if counts.Ending == nil || *counts.Ending != c.want {
			t.Errorf("%.60q ends as %+v, want %+v", c.in, counts.Ending, c.want)
		}
	}
	for in, want := range map[string]Ending{
		"id,item,title,text": {Line: 1, Fault: FaultHeader}, "id,item,title,text\r": {Line: 1, Fault: FaultHeader},
	} {
		if _, counts := outcomes(t, strings.NewReader(in), dialect); *counts.Ending != want {
			t.Errorf("%q ends as %+v", in, counts.Ending)
		}
	}
	_, err := NewReader(strings.NewReader("id,item,title,te"), noteSpec(), dialect, &memory{}, Options{MissingColumns: true})
	if err == nil || !strings.Contains(err.Error(), "notes.csv:1: the file ends within its header") {
		t.Errorf("a header that is cut: %v", err)
	}
}

// TestHintOfLineBreaks reads a file with records of several lines as lines, without and with close_quotes.
func TestHintOfLineBreaks(t *testing.T) {
	for _, closed := range []bool{false, true} {
		d := shape.Dialect{Delimiter: ",", CloseQuotes: closed}
		_, counts := outcomes(t, strings.NewReader("id,item,title,text\n1,1,a,\"b\nc\"\n2,1,a,b\n"), &d)
		if counts.Rejected[BrokenLine] != 2 || counts.Used != 1 || counts.Repaired[RepairedQuote] != 0 {
			t.Errorf("close_quotes %v: counts %+v, want two lines rejected for their line break", closed, counts)
		}
	}
	if hint := BrokenLine.Hint(); !strings.Contains(hint, "declare records: quoted") {
		t.Errorf("the hint is %q", hint)
	}
}
