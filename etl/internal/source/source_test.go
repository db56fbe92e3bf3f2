package source

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"testing/iotest"

	"github.com/goccy/go-json"

	"systemscale/etl/internal/csvscan"
	"systemscale/etl/internal/shape"
)

var dialect = &shape.Dialect{Delimiter: ",", Null: "null", TrimSpaces: true, CloseQuotes: true}

// itemSpec has a column of every type.
func itemSpec() *shape.Source {
	return &shape.Source{
		Name: "items", File: "items.csv", Key: shape.Indices{0}, Parent: 0, ParentKey: shape.Indices{1},
		Columns: []shape.Column{
			{Name: "id", Type: shape.Int},
			{Name: "parent", Type: shape.Int},
			{Name: "name", Type: shape.Text, Nullable: true},
			{Name: "price", Type: shape.Money, Nullable: true},
			{Name: "flag", Type: shape.Flag},
			{Name: "url", Type: shape.Text},
		},
		Repairs:  []shape.Repair{{Name: "uhttps", Column: 5, Prefix: "uhttps://", With: "https://"}},
		Filters:  []shape.Filter{{Name: "no parent", Column: 1, Drop: "0"}},
		Rendered: []int{2, 3, 4, 5},
	}
}

const header = "id,parent,name,price,flag,url\n"

// memory is a Sink that keeps the rejects.
type memory struct{ rejects []Reject }

func (m *memory) Reject(r Reject) error {
	r.Raw = bytes.Clone(r.Raw)
	m.rejects = append(m.rejects, r)
	return nil
}

func open(t *testing.T, input io.Reader) (*Reader, *memory) {
	t.Helper()
	sink := &memory{}
	reader, err := NewReader(input, itemSpec(), dialect, sink, Options{})
	if err != nil {
		t.Fatalf("NewReader: %v", err)
	}
	return reader, sink
}

// readAll uses every row and returns them as text: key, parent's key, and the rendered columns.
func readAll(t *testing.T, reader *Reader) []string {
	t.Helper()
	var rows []string
	eachRow(t, reader, func() {
		rows = append(rows, lastRow(t, reader.Rows()))
		if len(rows)%3 == 0 { // so that some rows are held
			reader.Release()
		}
	})
	reader.Release()
	return rows
}

// eachRow reads all rows and calls use after each one.
func eachRow(t *testing.T, reader *Reader, use func()) {
	t.Helper()
	for {
		more, err := reader.Next()
		if err != nil {
			t.Fatalf("Next: %v", err)
		}
		if !more {
			return
		}
		use()
	}
}

// lastRow returns the last row as text.
func lastRow(t *testing.T, rows *Rows) string {
	t.Helper()
	last := int32(rows.Len() - 1)
	columns := []any{rows.Keys()[last], rows.LastParentKey()}
	for i := range rows.Row(last) {
		cell := &rows.Row(last)[i]
		if cell.Null {
			columns = append(columns, nil)
		} else {
			columns = append(columns, string(rows.Text(cell)))
		}
	}
	text, err := json.MarshalWithOption(columns, json.DisableHTMLEscape())
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

func TestNextReadsGoodRows(t *testing.T) {
	cases := []struct{ name, in, want string }{
		{"plain", `1,2,"a b",140,1,"u"`, `[1,2,"a b","140.00","true","u"]`},
		{"bare text", `1,2,a b,140,0,u`, `[1,2,"a b","140.00","false","u"]`},
		{"quoted numbers", `"1","2","a","140.5","1","u"`, `[1,2,"a","140.50","true","u"]`},
		{"bare null", `1,2,null,null,1,""`, `[1,2,null,null,"true",""]`},
		{"quoted null is the word", `1,2,"null",1,1,""`, `[1,2,"null","1.00","true",""]`},
		{"spaces after commas", `1, 2, "a", 140, 1, "u"`, `[1,2,"a","140.00","true","u"]`},
		{"true and false", `1,2,"a",1,true,"u"`, `[1,2,"a","1.00","true","u"]`},
		{"money's limits", `1,2,"a",500000000.99,1,"u"`, `[1,2,"a","500000000.99","true","u"]`},
		{"negative", `-1,2,"a",-0.05,1,"u"`, `[-1,2,"a","-0.05","true","u"]`},
		{"the largest int", `9223372036854775807,2,"a",1,1,"u"`, `[9223372036854775807,2,"a","1.00","true","u"]`},
		{"the smallest int", `-9223372036854775808,2,"a",1,1,"u"`, `[-9223372036854775808,2,"a","1.00","true","u"]`},
		{"not only ASCII", `1,2,"Größe 日本",1,1,"u"`, `[1,2,"Größe 日本","1.00","true","u"]`},
		{"repaired prefix", `1,2,"a",1,1,"uhttps://x"`, `[1,2,"a","1.00","true","https://x"]`},
		{"repaired quote", "1,2,\"a\",1,1,\"u\n2,2,b,1,1,u\n", `[1,2,"a","1.00","true","u"] [2,2,"b","1.00","true","u"]`},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			reader, sink := open(t, strings.NewReader(header+c.in))
			if got := strings.Join(readAll(t, reader), " "); got != c.want {
				t.Errorf("%s: read %s, want %s (rejects %v)", c.in, got, c.want, sink.rejects)
			}
		})
	}
}

// TestIntLists reads a column whose lists must contain ints, on the fast path and off it, where a text has a quote.
func TestIntLists(t *testing.T) {
	spec := &shape.Source{
		File: "lists.csv", Columns: []shape.Column{{Name: "id"}, {Name: "list", Type: shape.Text, Nullable: true}}, Key: shape.Indices{0},
		Rendered: []int{0, 1}, IntLists: []shape.IntList{{Column: 1, At: "|"}},
	}
	sink := &memory{}
	input := strings.NewReader("id,list\n1,\n2,1|02 | -3\n3,1|x\n4,\"1|2\"\n5,|\n6,\"1\"\"2\"\n7,1|\n8,\"  \"\n9,null\n")
	reader, err := NewReader(input, spec, &shape.Dialect{Delimiter: ",", Null: "null"}, sink, Options{})
	if err != nil {
		t.Fatal(err)
	}
	got := strings.Join(readAll(t, reader), " ")
	if want := `[1,0,"1",""] [2,0,"2","1|02 | -3"] [4,0,"4","1|2"] [8,0,"8","  "] [9,0,"9",null]`; got != want {
		t.Errorf("read %s, want %s", got, want)
	}
	for _, reject := range sink.rejects {
		if reject.Reason != NotInt || reject.Column != "list" {
			t.Errorf("line %d is rejected as %q in %s", reject.Line, reject.Reason, reject.Column)
		}
	}
	if len(sink.rejects) != 4 {
		t.Errorf("%d rejects, want 4", len(sink.rejects))
	}
}

func TestNextRejects(t *testing.T) {
	long := strings.Repeat("x", csvscan.MaxLine)
	cases := []struct {
		name, in string
		reason   Reason
		column   string
	}{
		{"too few fields", "1,2,\"a\"\n", FieldCount, ""},
		{"too many fields", "1,2,\"a\",1,1,\"u\",7\n", FieldCount, ""},
		{"a quote that swallows fields", "1,2,\"a,1,1,u\n", UnclosedQuote, "name"},
		{"cut off inside a quote", `1,2,"a",1,1,"u`, Truncated, ""},
		{"text after a quote", "1,2,\"a\",\"price\": 49,1,\"u\"\n", TextAfterQuote, "price"},
		{"a quote in a bare field", "1,2,5\" pipe,1,1,u\n", BareQuote, "name"},
		{"too long", "1,2,\"" + long + "\",1,1,u\n", LineTooLong, ""},
		{"bytes that are no UTF-8", "1,2,\"caf\xe9\",1,1,u\n", NotUTF8, ""},
		{"a NUL byte", "1,2,\"abcdefgh\x00\",1,1,u\n", NULByte, ""},
		{"a NUL byte near the end", "1,2,a,1,1,\x00\n", NULByte, ""},
		{"a word for an int", "one,2,\"a\",1,1,u\n", NotInt, "id"},
		{"nothing for an int", ",2,\"a\",1,1,u\n", NotInt, "id"},
		{"only a sign", "-,2,\"a\",1,1,u\n", NotInt, "id"},
		{"an int of more than 64 bits", "9223372036854775808,2,\"a\",1,1,u\n", NotInt, "id"},
		{"an int of 20 digits", "18446744073709551617,2,\"a\",1,1,u\n", NotInt, "id"},
		{"a quoted null for an int", "\"null\",2,\"a\",1,1,u\n", NotInt, "id"},
		{"three decimals", "1,2,\"a\",1.234,1,u\n", NotMoney, "price"},
		{"a point and no decimals", "1,2,\"a\",1.,1,u\n", NotMoney, "price"},
		{"a letter among decimals", "1,2,\"a\",1.x,1,u\n", NotMoney, "price"},
		{"too much money", "1,2,\"a\",92233720368547758,1,u\n", NotMoney, "price"},
		{"a flag of 2", "1,2,\"a\",1,2,u\n", NotFlag, "flag"},
		{"null where it is not admitted", "null,2,\"a\",1,1,u\n", NullValue, "id"},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			// The good rows before and after a faulty one must not be affected.
			in := header + "7,1,a,1,1,u\n" + c.in
			wantRows := 1
			if strings.HasSuffix(in, "\n") {
				in += "8,1,a,1,1,u\n"
				wantRows = 2
			}
			reader, sink := open(t, strings.NewReader(in))
			rows := readAll(t, reader)
			if len(rows) != wantRows || len(sink.rejects) != 1 {
				t.Fatalf("%d good rows %q and %d rejects %v, want %d and 1", len(rows), rows, len(sink.rejects), sink.rejects, wantRows)
			}
			got := sink.rejects[0]
			offset := int64(len(header) + len("7,1,a,1,1,u\n"))
			if got.Reason != c.reason || got.Column != c.column || got.Line != 3 || got.Offset != offset || got.File != "items.csv" {
				t.Errorf("reject %s in column %q at %s:%d byte %d, want %s in %q at items.csv:3 byte %d",
					got.Reason, got.Column, got.File, got.Line, got.Offset, c.reason, c.column, offset)
			}
			if want := strings.TrimSuffix(c.in, "\n"); c.reason != LineTooLong && string(got.Raw) != want {
				t.Errorf("raw %q, want %q", got.Raw, want)
			}
			counts := reader.Counts()
			if n := counts.Unreconciled(); n != 0 {
				t.Errorf("%d rows are unreconciled", n)
			}
		})
	}
}

func TestCountsReconcile(t *testing.T) {
	reader, _ := open(t, strings.NewReader(header+
		"1,1,a,1,1,\"uhttps://x\"\n"+"2,0,a,1,1,u\n"+"2,-0,a,1,1,u\n"+"x,1,a,1,1,u\n"+"\n"+"4,1,a,1,1,\"open\n"+"5,1,a,1,1,u\n"))
	eachRow(t, reader, func() {
		if rows := reader.Rows(); rows.Keys()[rows.Len()-1] == 5 {
			if err := reader.Reject(Orphan, 1); err != nil {
				t.Fatal(err)
			}
		}
	})
	reader.Release()
	counts := reader.Counts()
	if counts.Read != 6 || counts.Used != 2 ||
		!maps.Equal(counts.Filtered, map[string]int64{"no parent": 2}) ||
		!maps.Equal(counts.Rejected, map[Reason]int64{NotInt: 1, Orphan: 1}) ||
		!maps.Equal(counts.Repaired, map[string]int64{"uhttps": 1, RepairedQuote: 1}) {
		t.Errorf("Counts() = %+v", counts)
	}
	for added, want := range map[int64]int64{0: 0, -1: 1, 2: 2} {
		changed := counts
		changed.Used += added
		if got := changed.Unreconciled(); got != want {
			t.Errorf("Unreconciled() = %d with %d more used, want %d", got, added, want)
		}
	}
}

// TestFilters reads rows that filters test.
func TestFilters(t *testing.T) {
	const rows = "1,1,a,1,1,u\n2,1,b,0,0,u\n3,2,null,2.50,1,u\n4,3,\"a\",null,0,\"u\"\n"
	test := func(operator shape.Operator, null bool, values ...string) *shape.Test {
		return &shape.Test{Terms: []shape.Term{{Operator: operator, Values: values, Null: null}}}
	}
	for _, c := range []struct {
		name   string
		filter shape.Filter
		want   []int64 // keys of the rows that stay
	}{
		{"keep an int", shape.Filter{Column: 1, Test: test(shape.Is, false, "1"), Keep: true}, []int64{1, 2}},
		{"drop ints", shape.Filter{Column: 1, Test: test(shape.Is, false, "1", "3")}, []int64{3}},
		{"drop what is above", shape.Filter{Column: 0, Test: test(shape.Above, false, "2.5")}, []int64{1, 2}},
		{"keep a text", shape.Filter{Column: 2, Test: test(shape.Is, false, "a"), Keep: true}, []int64{1, 4}},
		{"drop null", shape.Filter{Column: 2, Test: test(shape.Is, true)}, []int64{1, 2, 4}},
		{"keep null", shape.Filter{Column: 3, Test: test(shape.Is, true), Keep: true}, []int64{4}},
		{"drop amounts", shape.Filter{Column: 3, Test: test(shape.Below, false, "1")}, []int64{1, 3, 4}},
		{"keep amounts", shape.Filter{Column: 3, Test: test(shape.AtLeast, false, "1.0"), Keep: true}, []int64{1, 3}},
		{"keep a flag", shape.Filter{Column: 4, Test: test(shape.Is, false, "true"), Keep: true}, []int64{1, 3}},
		{"drop a pattern", shape.Filter{Column: 5, Test: test(shape.Matches, false, "^u$")}, nil},
	} {
		t.Run(c.name, func(t *testing.T) {
			spec := itemSpec()
			c.filter.Name = "filter"
			spec.Filters = []shape.Filter{c.filter}
			for _, spec.Rendered = range [][]int{{2, 3, 4, 5}, nil} {
				w := newTwins(t, []byte(header+rows), nil, spec, dialect, Options{})
				var got []int64
				for w.next() {
					got = append(got, w.readers[0].Rows().LastKey())
				}
				w.release()
				if !slices.Equal(got, c.want) {
					t.Errorf("rows %d stay, want %d", got, c.want)
				}
				if counts := w.readers[0].Counts(); counts.Filtered["filter"] != int64(4-len(c.want)) || counts.Unreconciled() != 0 {
					t.Errorf("Counts() = %+v", counts)
				}
			}
		})
	}
}

// TestPlainCells checks which texts are Plain and so copied into JSON unchanged.
func TestPlainCells(t *testing.T) {
	spec := itemSpec()
	spec.Repairs[0].With = "a \" quote://"
	for in, want := range map[string]bool{
		`"plain"`: true, `bare`: true, `"a ""quote"""`: false, `"back\slash"`: false, "\"tab\t\"": false, `"uhttps://x"`: false,
	} {
		reader, err := NewReader(strings.NewReader(header+"1,2,a,1,1,"+in), spec, dialect, &memory{}, Options{})
		if err != nil {
			t.Fatal(err)
		}
		if more, err := reader.Next(); err != nil || !more {
			t.Fatal(more, err)
		}
		if plain := reader.Rows().Row(0)[3].Plain; plain != want {
			t.Errorf("%s: Plain = %v, want %v", in, plain, want)
		}
	}
}

func TestHeader(t *testing.T) {
	good := map[string]string{
		"as declared":         "id,parent,name,price,flag,url\n1,2,a,3,1,u\n",
		"spaces":              "id, parent, name, price , flag, url\n1,2,a,3,1,u\n",
		"quoted":              "\"id\",\"parent\",\"name\",\"price\",\"flag\",\"url\"\n1,2,a,3,1,u\n",
		"another order":       "url,flag,price,name,parent,id\nu,1,3,a,2,1\n",
		"more columns":        "x,id,parent,y,name,price,flag,url,z\n9,1,2,9,a,3,1,u,9\n",
		"byte order mark":     "\xef\xbb\xbfid,parent,name,price,flag,url\n1,2,a,3,1,u\n",
		"carriage returns":    "id,parent,name,price,flag,url\r\n1,2,a,3,1,u\r\n",
		"empty lines first":   "\n\nid,parent,name,price,flag,url\n1,2,a,3,1,u\n",
		"no line end at last": "id,parent,name,price,flag,url\n1,2,a,3,1,u",
	}
	for name, in := range good {
		t.Run(name, func(t *testing.T) {
			reader, _ := open(t, strings.NewReader(in))
			if got := strings.Join(readAll(t, reader), " "); got != `[1,2,"a","3.00","true","u"]` {
				t.Errorf("read %s", got)
			}
		})
	}
	bad := []struct{ name, in, want string }{
		{"nothing at all", "", "items.csv: the file is empty"},
		{
			"a column missing", "id,parent,name,price,url\n",
			`items.csv:1: the header has no column "flag"; it has id, parent, name, price, url`,
		},
		{"a header that may be a row", "1,2,a,3,1,u\n2,2,a,3,1,u\n", `If the first line is a row, declare header: false in the dialect`},
		{"lines of old Macs", "id,parent,name,price,flag,url\r1,2,a,3,1,u\r", `items.csv:1: its lines end with CR alone, as on old Macs; convert it`},
		{
			"lines of old Macs, many", "id,parent,name,price,flag,url\r" + strings.Repeat("1,2,a,3,1,u\r", 1<<17),
			`items.csv:1: its lines end with CR alone`,
		},
		{"a column renamed", "id,parent,title,price,flag,url\n", `no column "name"`},
		{"a column twice", "id,parent,name,price,flag,url,name\n", `the column "name" twice`},
	}
	for _, c := range bad {
		t.Run(c.name, func(t *testing.T) {
			_, err := NewReader(strings.NewReader(c.in), itemSpec(), dialect, &memory{}, Options{})
			if _, ok := errors.AsType[*FileError](err); !ok || !strings.Contains(err.Error(), c.want) {
				t.Errorf("NewReader(%q) = %v, want a FileError with %q", c.in, err, c.want)
			}
		})
	}
}

// TestNotations reads rows in dialects with another notation of rows.
func TestNotations(t *testing.T) {
	with := func(set func(*shape.Dialect)) *shape.Dialect {
		d := *dialect
		d.CloseQuotes = false
		set(&d)
		return &d
	}
	noQuotes := with(func(d *shape.Dialect) { d.NoQuotes, d.TrimSpaces = true, false })
	noHeader := with(func(d *shape.Dialect) { d.NoHeader = true })
	many := with(func(d *shape.Dialect) { d.Multiline = true })
	short := with(func(d *shape.Dialect) { d.ShortRows = true })
	cases := []struct {
		name    string
		dialect *shape.Dialect
		in      string
		rows    string
		rejects string
	}{
		{"no quotes", noQuotes, header + `1,2,"a,3,1,5" x` + "\n", `[1,2,"\"a","3.00","true","5\" x"]`, ""},
		{"no quotes around numbers", noQuotes, header + `"1",2,a,3,1,u` + "\n" + `1,2,a,"3",1,u` + "\n", "", "2: id not an int; 3: price not money"},
		{"no header", noHeader, "\xef\xbb\xbf1,2,a,3,1,u\n2,2,b,3,1,u\n", `[1,2,"a","3.00","true","u"] [2,2,"b","3.00","true","u"]`, ""},
		{"no header, after an empty line", noHeader, "\n1,2,a,3,1,u", `[1,2,"a","3.00","true","u"]`, ""},
		{
			"no header, other columns", noHeader, "1,2\n1,2,a,3,1,u,7\n1,2,a,3,1,a\rb\n", `[1,2,"a","3.00","true","a\rb"]`,
			"1: field count (2 fields, and source items has 6 columns); 2: field count (7 fields, and source items has 6 columns)",
		},
		{
			"records of several lines", many, header + "1,2,\"a\n\"\"b\",3,1,u\r\n2,2,c,3,1,\"u\r\n\"\r\n3,2,d,3,1,u\n",
			`[1,2,"a\n\"b","3.00","true","u"] [2,2,"c","3.00","true","u\r\n"] [3,2,"d","3.00","true","u"]`, "",
		},
		{
			"records of several lines with mistakes", many,
			header + "1,2,\"a\nb\",x,1,u\n2,2,\"c\nd\"\n3,2,\"e,3,1,u\n4,2,\"f\",3,1,u\n5,2,\"g\n\xff\",3,1,u\n",
			`[4,2,"f","3.00","true","u"]`,
			"2: price not money; 4: field count (3 fields, and the header has 6); 6: name unclosed quote; 8: not UTF-8",
		},
		{
			"a quote that is open to the end, before rows", many, header + "1,2,\"a,3,1,u\n2,2,b,3,1,u\n3,2,c,3,1,u\n",
			`[2,2,"b","3.00","true","u"] [3,2,"c","3.00","true","u"]`, "2: name unclosed quote",
		},
		{
			"the end within quotes", many, header + "1,2,b,3,1,u\n2,2,c,3,1,\"u\nand\nmore", `[1,2,"b","3.00","true","u"]`,
			"3: truncated; 4: field count (1 field, and the header has 6); 5: field count (1 field, and the header has 6)",
		},
		{"short rows", short, "id,parent,url,flag,name,price\n1,2,u,1,a\n2,2,u,1\n3,2,u,1,a,3\n", `[1,2,"a",null,"true","u"] [2,2,null,null,"true","u"] [3,2,"a","3.00","true","u"]`, ""},
		{
			"rows that are too short", short, "id,parent,url,flag,name,price\n1,2,u\n1\n1,2,u,1,a,3,4\n", "",
			"2: field count (3 fields, and the header has 6); 3: field count (1 field, and the header has 6); " +
				"4: field count (7 fields, and the header has 6)",
		},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			sink := &memory{}
			reader, err := NewReader(strings.NewReader(c.in), itemSpec(), c.dialect, sink, Options{})
			if err != nil {
				t.Fatal(err)
			}
			if got := strings.Join(readAll(t, reader), " "); got != c.rows {
				t.Errorf("rows %s, want %s", got, c.rows)
			}
			var rejects []string
			for _, r := range sink.rejects {
				rejects = append(rejects, strings.Join(strings.Fields(fmt.Sprintf("%d: %s %s", r.Line, r.Column, r.Why())), " "))
			}
			if got := strings.Join(rejects, "; "); got != c.rejects {
				t.Errorf("rejects %s, want %s", got, c.rejects)
			}
			counts := reader.Counts()
			if n := counts.Unreconciled(); n != 0 {
				t.Errorf("%d rows are not reconciled", n)
			}
			if truncated := strings.Contains(c.rejects, "truncated"); (counts.Ending.Fault == FaultQuotes) != truncated {
				t.Errorf("the fault is %q", counts.Ending.Fault)
			}
			if lines := int64(strings.Count(c.in, "\n")); counts.Ending.Line != lines && counts.Ending.Line != lines+1 {
				t.Errorf("the last line is %d", counts.Ending.Line)
			}
		})
	}
	for in, want := range map[string]string{"": "items.csv: the file is empty", "1,a\r2,b\r": "items.csv:1: its lines end with CR alone", "\x1f\x8b1": "gzip"} {
		_, err := NewReader(strings.NewReader(in), itemSpec(), noHeader, &memory{}, Options{})
		if _, ok := errors.AsType[*FileError](err); !ok || !strings.Contains(err.Error(), want) {
			t.Errorf("without header, NewReader(%q) = %v, want a FileError with %q", in, err, want)
		}
	}
}

func TestReadError(t *testing.T) {
	broken := errors.New("disk on fire")
	reader, _ := open(t, io.MultiReader(strings.NewReader(header+"1,2,a,3,1,u\n2,2,a,3,1,u"), iotest.ErrReader(broken)))
	if _, err := reader.Next(); err != nil {
		t.Fatal(err)
	}
	const want = "items.csv:2: the file cannot be read after this line"
	if _, err := reader.Next(); !errors.Is(err, broken) || !strings.Contains(err.Error(), want) {
		t.Errorf("Next() = %v, want %v with %q", err, broken, want)
	}
}

func TestOneByteReader(t *testing.T) {
	reader, _ := open(t, iotest.OneByteReader(strings.NewReader(header+"1,2,\"a\"\"b\",3,1,\"uhttps://u\"\n")))
	if got := strings.Join(readAll(t, reader), " "); got != `[1,2,"a\"b","3.00","true","https://u"]` {
		t.Errorf("read %s", got)
	}
}

func TestRejectFiles(t *testing.T) {
	directory := filepath.Join(t.TempDir(), "deep", "rejects")
	files := &RejectFiles{Directory: directory}
	rejects := []Reject{
		{File: "a.csv", Line: 2, Offset: 10, Column: "price", Reason: NotMoney, Raw: []byte(`1,"x"`)},
		{File: "b.csv", Line: 3, Offset: 20, Reason: NotUTF8, Raw: []byte("2,\xff")},
		{File: "a.csv", Line: 4, Offset: 30, Reason: FieldCount, Detail: "1 field, and the header has 2", Raw: []byte("3")},
	}
	if _, err := os.Stat(directory); err == nil {
		t.Fatal("the directory is there before any reject")
	}
	for _, r := range rejects {
		if err := files.Reject(r); err != nil {
			t.Fatal(err)
		}
	}
	if err := files.Close(); err != nil {
		t.Fatal(err)
	}
	for name, want := range map[string]string{"a.csv": "1,\"x\"\n3\n", "b.csv": "2,\xff\n"} {
		if got, err := os.ReadFile(filepath.Join(directory, name)); err != nil || string(got) != want {
			t.Errorf("%s is %q (%v), want %q", name, got, err, want)
		}
	}
	log, err := os.Open(filepath.Join(directory, "rejects.ndjson"))
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = log.Close() }()
	want := []string{
		`{"file":"a.csv","line":2,"offset":10,"column":"price","reason":"not money","row":"1,\"x\""}`,
		`{"file":"b.csv","line":3,"offset":20,"reason":"not UTF-8","row_base64":"Miz/"}`,
		`{"file":"a.csv","line":4,"offset":30,"reason":"field count","detail":"1 field, and the header has 2","row":"3"}`,
	}
	lines := bufio.NewScanner(log)
	for i := 0; lines.Scan(); i++ {
		if i >= len(want) || lines.Text() != want[i] {
			t.Errorf("rejects.ndjson line %d is %s", i+1, lines.Text())
		}
	}
	if len(files.First()) != 3 || files.First()[0] != "a.csv:2: price not money: `1,\"x\"`" ||
		files.First()[2] != "a.csv:4: field count (1 field, and the header has 2): `3`" {
		t.Errorf("First() = %q", files.First())
	}
}

// TestRejectFilesOfTwoRuns writes the rejects of a run of another database, with the same name and number, and reads the files twice.
func TestRejectFilesOfTwoRuns(t *testing.T) {
	directory := filepath.Join(t.TempDir(), "products-1")
	var files [3]*RejectFiles
	for i := range files {
		for pass := range 2 {
			files[i] = &RejectFiles{Directory: directory}
			raw := fmt.Appendf(nil, "run %d, pass %d", i, pass)
			if err := files[i].Reject(Reject{File: "a.csv", Line: 2, Reason: FieldCount, Raw: raw}); err != nil {
				t.Fatal(err)
			}
			if pass == 0 {
				if err := files[i].Remove(); err != nil {
					t.Fatal(err)
				}
			}
		}
		if err := files[i].Close(); err != nil {
			t.Fatal(err)
		}
	}
	for i, name := range []string{directory, directory + "-2", directory + "-3"} {
		got, err := os.ReadFile(filepath.Join(name, "a.csv"))
		if want := fmt.Sprintf("run %d, pass 1\n", i); err != nil || string(got) != want || files[i].Directory != name {
			t.Errorf("%s has %q (%v), want %q; the run has its rejects in %s", name, got, err, want, files[i].Directory)
		}
	}
}

func TestNextAllocatesNothingPerRow(t *testing.T) {
	in := header + strings.Repeat("1,2,\"a\",140,1,\"uhttps://images.example.com/photo\"\n"+
		"3,2,\"a\",140,1,\"https://images.example.com/photo\"\n", 20_000)
	reader, _ := open(t, strings.NewReader(in))
	for range 10_000 { // until the buffers have grown
		if _, err := reader.Next(); err != nil {
			t.Fatal(err)
		}
		reader.Release()
	}
	n := testing.AllocsPerRun(20_000, func() {
		if more, err := reader.Next(); err != nil || !more {
			t.Fatal(more, err)
		}
		reader.Release()
	})
	if n != 0 {
		t.Errorf("%v allocations per row, want 0", n)
	}
}

// TestReleasedRowsFreeMemory holds rows while many others are rejected or filtered.
func TestReleasedRowsFreeMemory(t *testing.T) {
	const rows = 100_000
	for name, row := range map[string]string{
		"rejected by the reader": "2,2,\"a\",bad,1,\"https://u\"\n",
		"rejected by its user":   "2,2,\"a\",3,1,\"https://u\"\n",
		"filtered":               "2,0,\"a\",3,1,\"https://u\"\n",
		"rejected, and repaired": "2,2,\"a\",bad,1,\"uhttps://u\"\n",
	} {
		t.Run(name, func(t *testing.T) {
			in := header + "1,2,\"first\",3,1,\"uhttps://first\"\n7,2,\"second\",3,1,\"https://second\"\n" +
				strings.Repeat(row, rows) + "9,2,\"last\",3,1,\"https://last\"\n"
			reader, _ := open(t, strings.NewReader(in))
			reader.rejects = Discard{}
			most := int64(0)
			for more := true; more; {
				var err error
				if more, err = reader.Next(); err != nil {
					t.Fatal(err)
				}
				most = max(most, reader.Held())
				if more && reader.Rows().LastKey() == 2 {
					if err := reader.Reject(Orphan, 1); err != nil {
						t.Fatal(err)
					}
				}
			}
			if most > 3*grownBytes {
				t.Errorf("%d bytes are held of three rows", most)
			}
			var texts []string
			for row := range reader.Rows().Len() {
				for i := range reader.Rows().Row(int32(row)) {
					texts = append(texts, string(reader.Rows().Text(&reader.Rows().Row(int32(row))[i])))
				}
			}
			const want = "first 3.00 true https://first second 3.00 true https://second last 3.00 true https://last"
			if got := strings.Join(texts, " "); got != want {
				t.Errorf("the rows are %s, want %s", got, want)
			}
			reader.Release()
			if counts := reader.Counts(); counts.Read != rows+3 || counts.Used != 3 || counts.Unreconciled() != 0 {
				t.Errorf("%+v", counts)
			}
		})
	}
}

// TestWatch counts the calls of the function given to Watch. The count must not depend on the number of rows released before.
func TestWatch(t *testing.T) {
	row := "1,2,\"a\",3,1,\"" + strings.Repeat("u", 100) + "\"\n"
	reader, _ := open(t, strings.NewReader(header+strings.Repeat(row, 50_000)))
	calls, stop := 0, errors.New("enough")
	reader.Watch(func() error {
		if calls++; calls == 30 {
			return stop
		}
		return nil
	})
	for range 20_000 {
		if _, err := reader.Next(); err != nil {
			t.Fatal(err)
		}
		reader.Release()
	}
	if calls != 0 {
		t.Errorf("%d calls, and no row was held", calls)
	}
	for range 10 * grownRows {
		if _, err := reader.Next(); err != nil {
			t.Fatal(err)
		}
	}
	if calls < 9 {
		t.Errorf("%d calls for %d rows", calls, 10*grownRows)
	}
	reader.Release()
	calls = 0
	rows := 0
	for {
		_, err := reader.Next()
		if errors.Is(err, stop) {
			break
		}
		if rows++; err != nil || rows > 20_000 {
			t.Fatalf("%v after %d rows and %d calls", err, rows, calls)
		}
	}
	if rows < 20*grownRows || rows > 32*grownRows {
		t.Errorf("30 calls for %d rows", rows)
	}
}
