package source

import (
	"bytes"
	"fmt"
	"io"
	"math/rand/v2"
	"reflect"
	"strings"
	"testing"
	"testing/iotest"

	"systemscale/etl/internal/csvscan"
	"systemscale/etl/internal/shape"
)

// twins are two Readers of the same input, of which the second converts every record. After the same calls, both must have the same
// results.
type twins struct {
	t       testing.TB
	in      []byte
	readers [2]*Reader
	sinks   [2]*memory
}

// pieces is a reader that returns pieces of the given sizes, in turn; without sizes, it returns as much as it can.
type pieces struct {
	reader io.Reader
	sizes  []byte
	turn   int
}

func (p *pieces) Read(to []byte) (int, error) {
	if len(p.sizes) > 0 {
		if size := int(p.sizes[p.turn%len(p.sizes)]); size < 128 {
			to = to[:min(len(to), 1+size)]
		}
		p.turn++
	}
	return p.reader.Read(to)
}

func newTwins(t testing.TB, in, sizes []byte, spec *shape.Source, dialect *shape.Dialect, options Options) *twins {
	t.Helper()
	w := &twins{t: t, in: in}
	for i := range w.readers {
		w.sinks[i] = &memory{}
		reader, err := NewReader(&pieces{reader: bytes.NewReader(in), sizes: sizes}, spec, dialect, w.sinks[i], options)
		if err != nil {
			t.Fatalf("NewReader: %v", err)
		}
		w.readers[i] = reader
	}
	w.readers[1].layout.fields = nil
	return w
}

func (w *twins) next() bool {
	w.t.Helper()
	var more [2]bool
	for i, reader := range w.readers {
		var err error
		if more[i], err = reader.Next(); err != nil {
			w.t.Fatalf("Next: %v", err)
		}
	}
	if more[0] != more[1] {
		w.t.Fatalf("Next() = %v, and %v when all is converted, in %q", more[0], more[1], w.in)
	}
	w.compare()
	if a, b := w.readers[0], w.readers[1]; more[0] && (a.Line() != b.Line() || a.offset() != b.offset() || !bytes.Equal(a.Raw(), b.Raw())) {
		w.t.Fatalf("decoded: line %d at byte %d is %q; converted: line %d at byte %d is %q; input %q",
			a.Line(), a.offset(), a.Raw(), b.Line(), b.offset(), b.Raw(), w.in)
	}
	return more[0]
}

func (w *twins) reject() {
	for _, reader := range w.readers {
		if err := reader.Reject(Orphan, 1); err != nil {
			w.t.Fatal(err)
		}
	}
	w.compare()
}

func (w *twins) release() {
	for _, reader := range w.readers {
		reader.Release()
	}
	w.compare()
}

// compare compares the held rows, the rejects and the counts.
func (w *twins) compare() {
	w.t.Helper()
	a, b := w.readers[0].Rows(), w.readers[1].Rows()
	if a.Len() != b.Len() {
		w.t.Fatalf("%d rows are held; %d when all is converted, of %q", a.Len(), b.Len(), w.in)
	}
	for row := range a.Len() {
		if a.Keys()[row] != b.Keys()[row] {
			w.t.Fatalf("row %d has the key %d; %d when all is converted, of %q", row, a.Keys()[row], b.Keys()[row], w.in)
		}
		left, right := a.Row(int32(row)), b.Row(int32(row))
		for i := range left {
			w.soundCell(a, &left[i])
			w.soundCell(b, &right[i])
			if left[i].Null != right[i].Null || !bytes.Equal(a.Text(&left[i]), b.Text(&right[i])) {
				w.t.Fatalf("row %d, cell %d is %q (null %v); %q (%v) when all is converted, of %q",
					row, i, a.Text(&left[i]), left[i].Null, b.Text(&right[i]), right[i].Null, w.in)
			}
		}
	}
	if a.Len() > 0 && a.LastParentKey() != b.LastParentKey() {
		w.t.Fatalf("the last row belongs to %d; to %d when all is converted, of %q", a.LastParentKey(), b.LastParentKey(), w.in)
	}
	if !reflect.DeepEqual(w.sinks[0].rejects, w.sinks[1].rejects) {
		w.t.Fatalf("rejects\n%+v; when all is converted\n%+v, of %q", w.sinks[0].rejects, w.sinks[1].rejects, w.in)
	}
	left, right := w.readers[0].Counts(), w.readers[1].Counts()
	if a.ahead > a.end {
		left.Bytes = right.Bytes // the records decoded ahead have been read
	}
	if left.Fingerprint, right.Fingerprint = "", ""; !reflect.DeepEqual(left, right) {
		w.t.Fatalf("counts %+v; when all is converted %+v, of %q", left, right, w.in)
	}
}

// soundCell checks the contract of a cell: a Plain text has no character to escape, and Slack bytes can be read after each text.
func (w *twins) soundCell(rows *Rows, cell *Cell) {
	w.t.Helper()
	text := rows.Text(cell)
	if cell.Plain && strings.ContainsFunc(string(text), func(c rune) bool { return c < ' ' || c == '"' || c == '\\' }) {
		w.t.Fatalf("%q is Plain, in %q", text, w.in)
	}
	if cap(text)-len(text) < csvscan.Slack {
		w.t.Fatalf("%d bytes can be read after %q, in %q", cap(text)-len(text), text, w.in)
	}
	if cell.Null && (len(text) > 0 || cell.Plain) {
		w.t.Fatalf("null has the text %q (Plain %v), in %q", text, cell.Plain, w.in)
	}
}

// run reads to the end. The plan has a byte for each row, in turn: it releases, rejects, both, or neither.
func (w *twins) run(plan []byte) {
	w.t.Helper()
	for turn := 0; w.next(); turn++ {
		if len(plan) == 0 {
			continue
		}
		step := plan[turn%len(plan)]
		if step&4 == 4 {
			w.release()
		}
		if step&3 == 3 {
			w.reject()
		}
		if step&8 == 8 {
			w.release()
		}
	}
	w.release()
	for _, reader := range w.readers {
		counts := reader.Counts()
		if n := counts.Unreconciled(); n != 0 || counts.Bytes != int64(len(w.in)) {
			w.t.Fatalf("%d rows unreconciled, %d bytes read, of %q", n, counts.Bytes, w.in)
		}
	}
	if a, b := w.readers[0].Counts(), w.readers[1].Counts(); a.Fingerprint != b.Fingerprint {
		w.t.Fatalf("fingerprint %s, and %s when all is converted", a.Fingerprint, b.Fingerprint)
	}
}

// wide is a source with columns of every type, with and without null, filters and repairs; some are not rendered, one is in no
// header, and the header has one that is not declared.
func wide() *shape.Source {
	return &shape.Source{
		Name: "wide", File: "wide.csv", Key: shape.Indices{0}, Parent: 0, ParentKey: shape.Indices{1},
		Columns: []shape.Column{
			{Name: "id", Type: shape.Int},
			{Name: "parent", Type: shape.Int},
			{Name: "name", Type: shape.Text, Nullable: true},
			{Name: "price", Type: shape.Money, Nullable: true},
			{Name: "flag", Type: shape.Flag, Nullable: true},
			{Name: "url", Type: shape.Text},
			{Name: "count", Type: shape.Int, Nullable: true},
			{Name: "absent", Type: shape.Text},
			{Name: "rank", Type: shape.Int},
		},
		Repairs: []shape.Repair{
			{Name: "uhttps", Column: 5, Prefix: "uhttps://", With: "https://"},
			{Name: "stray label", Column: 3, Prefix: `"price":`},
			{Name: "number sign", Column: 6, Prefix: "#"},
			{Name: "double nine", Column: 6, Prefix: "99"},
		},
		Filters: []shape.Filter{
			{Name: "no parent", Column: 1, Drop: "0"},
			{Name: "seven", Column: 6, Drop: "7"},
			{Name: "eleven", Column: 8, Drop: "11"},
			{Name: "twelve", Column: 8, Drop: "12"},
			{Name: "gone", Column: 2, Drop: "gone"},
			{Name: "free", Column: 3, Drop: "0.00"},
			{Name: "no null", Column: 2, Drop: "null"},
		},
		Rendered: []int{0, 2, 3, 4, 5, 6, 7},
	}
}

// tested is wide with filters that test values.
func tested() *shape.Source {
	spec := wide()
	one := func(operator shape.Operator, null bool, values ...string) *shape.Test {
		return &shape.Test{Terms: []shape.Term{{Operator: operator, Values: values, Null: null}}}
	}
	spec.Filters = []shape.Filter{
		{Name: "no parent", Column: 1, Drop: "0"},
		{Name: "far", Column: 1, Test: one(shape.Below, false, "1000000"), Keep: true},
		{Name: "gone", Column: 2, Test: one(shape.Is, false, "gone", "abc")},
		{Name: "free", Column: 3, Test: one(shape.AtMost, false, "0.00")},
		{Name: "false", Column: 4, Test: one(shape.Is, false, "false")},
		{Name: "url", Column: 5, Test: one(shape.Matches, false, "^u|ü|e"), Keep: true},
		{Name: "no count, or seven", Column: 6, Test: one(shape.Is, true, "7")},
		{Name: "eleven", Column: 8, Test: one(shape.Not, false, "11"), Keep: true},
	}
	return spec
}

// wideFields are the fields of the header of wide.
var wideFields = []string{"id", "parent", "name", "price", "flag", "url", "count", "extra", "rank"}

// dialects returns the dialects to test. Decode would misread the last ones.
func dialects() []shape.Dialect {
	var all []shape.Dialect
	for _, delimiter := range []shape.Delimiter{",", ";", "\t"} {
		for _, null := range []string{"null", ""} {
			for _, trim := range []bool{true, false} {
				for _, closed := range []bool{true, false} {
					all = append(all, shape.Dialect{Delimiter: delimiter, Null: null, TrimSpaces: trim, CloseQuotes: closed})
				}
			}
		}
	}
	return append(all,
		shape.Dialect{Delimiter: "|", Null: `\N`},
		shape.Dialect{Delimiter: " ", Null: "null", TrimSpaces: true},
		shape.Dialect{Delimiter: " ", Null: "null"},
		shape.Dialect{Delimiter: "l", Null: "null"},
		shape.Dialect{Delimiter: ",", Null: "n,l"},
		shape.Dialect{Delimiter: ",", Null: "nul ", TrimSpaces: true},
		shape.Dialect{Delimiter: ",", Null: `nu"l`},
		shape.Dialect{Delimiter: ",", Null: "nu\nl"},
		shape.Dialect{Delimiter: ",", Null: "0"},
		shape.Dialect{Delimiter: "5", Null: "null"},
		shape.Dialect{Delimiter: ".", Null: "null", TrimSpaces: true},
		shape.Dialect{Delimiter: ",", Nulls: []string{"", `\N`, "N/A", "null"}},
		shape.Dialect{Delimiter: ",", Nulls: []string{""}, TrimSpaces: true},
		shape.Dialect{Delimiter: "\t", Nulls: []string{"-", "--", "x", ""}, CloseQuotes: true},
		shape.Dialect{Delimiter: ",", Nulls: []string{"7", "12", "null", "0.00"}},
		shape.Dialect{Delimiter: ",", Nulls: []string{"\x00", "null"}},
		shape.Dialect{Delimiter: "+|", Null: "null", TrimSpaces: true},
		shape.Dialect{Delimiter: "\t", Null: `\N`, NoQuotes: true},
		shape.Dialect{Delimiter: ",", Null: "null", TrimSpaces: true, Multiline: true},
		shape.Dialect{Delimiter: ",", Nulls: []string{"", "null"}, NoQuotes: true, TrimSpaces: true},
		shape.Dialect{Delimiter: ",,", Null: "null", NoQuotes: true},
		shape.Dialect{Delimiter: ",", Null: "null", NoHeader: true, ShortRows: true},
		shape.Dialect{Delimiter: ",", Nulls: []string{"", "null"}, ShortRows: true},
		shape.Dialect{Delimiter: ",,", Null: `\N`, CloseQuotes: true},
	)
}

// FuzzDecodeAgainstConvert reads the rows in a dialect, in pieces whose sizes are in the plan, and releases and rejects rows according
// to the plan. The seeds in testdata are from the fuzzer: a minimal set that covers the statements that the seeds below do not cover.
func FuzzDecodeAgainstConvert(f *testing.F) {
	all := dialects()
	for number, d := range all {
		rows := "1,2,\"a b\",140,1,\"https://u\",5,x,3\n2,2,null,12.50,0,u,null,,4\r\n 3, 2,\"ü\", 1.5,null,\"uhttps://u\",-1,\"\",11\n" +
			"12345678,0,a,null,1,u,7,,#5\n123456789012345,2,\"a\"\"b\\\",\"price\": 49,true,u,1234567890123456,,\"6\"\n" +
			"4,4,a\n5,5,\"open\n1,1,a,1,1,u,7,,9"
		f.Add([]byte(strings.ReplaceAll(rows, ",", string(d.Delimiter))), byte(number), []byte{200, 8, 12})
		f.Add([]byte(strings.ReplaceAll(rows, ",", string(d.Delimiter))), byte(number), []byte{3, 0, 15, 1})
	}
	f.Fuzz(func(t *testing.T, rows []byte, number byte, plan []byte) {
		if len(rows) > 4<<10 {
			return // every step compares all held rows
		}
		d := &all[int(number)%len(all)]
		in := append([]byte(strings.Join(wideFields, string(d.Delimiter))+"\n"), rows...)
		if d.Delimiter == "l" { // which is in names of the header
			names := []string{"id", "parent", "name", "price", `"flag"`, `"url"`, "count", "extra", "rank"}
			in = append([]byte(strings.Join(names, "l")+"\n"), rows...)
		}
		newTwins(t, in, plan, wide(), d, Options{MissingColumns: true}).run(plan)
	})
}

// TestDecodeAgainstConvert reads random rows, most of them good, with fields of every form, and compares as FuzzDecodeAgainstConvert
// does.
func TestDecodeAgainstConvert(t *testing.T) {
	ints := []string{
		"1", "23", "1234567", "12345678", "123456789", "123456789012345", "1234567890123456", "9223372036854775807", "007", "0", "-0", "-5",
		`"77"`, ` 5`, `5 `, `" 5"`, `"5`, "7", `"7"`, "11", "12", "#11", "#3", "993", "99", "null", "x", "", "+1", "1.0", "１",
	}
	moneys := []string{
		"1", "140", "0", "0.00", "12.34", "12.3", "12.345", "123456789012345.00", "1234567890123456", "-1.50", "01", `"12"`, `"12.50"`,
		" 3", "3 ", "null",
		`"price": 49`, `"price":49.5`, `"price":x`, `"price" 49`, ".5", "5.", "1.2.3", "1e3", "92233720368547758",
	}
	flags := []string{"0", "1", "true", "false", `"0"`, `"true"`, " 1", "null", "2", "10", ""}
	words := []string{
		`"abc"`, `""`, `abc`, ``, ` abc`, `abc `, ` "abc"`, `"abc" `, `"a""b"`, `""""`, `a"b`, `"abc`, `"abc"d`, `"a\b"`, `a\b`, "\"a\nb\"", "\"a\n,b\r\n\"\"c\"",
		"\"a\tb\"", "a\tb", `"ü"`, `ü`,
		"\"\xff\"", "\xff", "\"a\x00b\"", "null", "nullx", "nul", `"null"`, `\N`, "gone", `"gone"`, "uhttps://x", `"uhttps://x"`,
		`"uhttps://ü\"`, "\x7f", "a\rb", "\r",
		`"eight888"`, `"sevente"`, `"sixteen616161616"`, `"` + strings.Repeat("long ", 20) + `"`, `"` + strings.Repeat("ü", 20) + `"`,
		"\"1234567é\"", "\"12345678\x01\"", "\"a\x80\"",
	}
	random := rand.New(rand.NewPCG(5, 6))
	pools := [][]string{ints, ints, words, moneys, flags, words, ints, words, ints}
	good := []string{"5", "6", `"a"`, "12", "1", "u", "8", `"e"`, "9"}
	all := dialects()
	for range 600 {
		d := &all[random.IntN(len(all))]
		in := []byte(strings.Join(wideFields, string(d.Delimiter)) + "\n")
		if d.Delimiter == "l" {
			continue // in names of the header
		}
		for range random.IntN(80) {
			fields := append([]string(nil), good...)
			for range random.IntN(3) {
				i := random.IntN(len(fields))
				fields[i] = pools[i][random.IntN(len(pools[i]))]
			}
			if random.IntN(12) == 0 {
				i := random.IntN(len(fields))
				fields[i] = append([]string{d.Null}, d.Nulls...)[random.IntN(1+len(d.Nulls))]
			}
			switch random.IntN(40) {
			case 0:
				fields = fields[:random.IntN(len(fields))]
			case 1:
				fields = append(fields, `"f"`)
			}
			in = append(in, strings.Join(fields, string(d.Delimiter))...)
			in = append(in, []string{"\n", "\n", "\n", "\n", "\r\n", "\n\n", "\r\r\n", " \n"}[random.IntN(8)]...)
		}
		if random.IntN(2) == 0 && bytes.Count(in, []byte("\n")) > 1 {
			in = bytes.TrimRight(in, "\n")
		}
		plan := make([]byte, random.IntN(9))
		for i := range plan {
			plan[i] = byte(random.IntN(256))
		}
		spec := wide()
		if random.IntN(3) == 0 {
			spec = tested()
		}
		newTwins(t, in, plan, spec, d, Options{MissingColumns: true}).run(plan)
	}
}

// TestManyRowsAgainstConvert reads enough rows with long repaired texts that released rows are compacted and texts move.
func TestManyRowsAgainstConvert(t *testing.T) {
	random := rand.New(rand.NewPCG(15, 16))
	var in bytes.Buffer
	in.WriteString(strings.Join(wideFields, ",") + "\n")
	for id := range 2_500 {
		fmt.Fprintf(&in, "%d,2,\"a\",%d,1,%s//%d,8,,9\n", id+1, id, []string{"https:", "uhttps:"}[random.IntN(2)], random.Int64())
		if id%400 == 0 {
			fmt.Fprintf(&in, "%d,2,\"a\"\"%s\",%d,1,u,8,,9\n", id+1, strings.Repeat("long ", 4_000), id)
		}
	}
	for name, plan := range map[string][]byte{
		"released at once":    {4},
		"released and placed": {4, 8},
		"in items of three":   {0, 0, 4},
		"rejected":            {0, 4, 0, 3, 8, 0, 4, 12},
		"seldom":              append(make([]byte, 250), 4, 0, 8),
	} {
		t.Run(name, func(t *testing.T) {
			newTwins(t, in.Bytes(), nil, wide(), dialect, Options{MissingColumns: true}).run(plan)
		})
	}
}

// TestOffsetsAfterLongLine rejects rows that are decoded after a line that is too long, so that the offset and the position differ.
func TestOffsetsAfterLongLine(t *testing.T) {
	in := header + "1,2,a,3,1,u\n" + strings.Repeat("x", 4*csvscan.MaxLine) + "\n2,2,a,3,1,u\n3,2,a,3,1,u\n"
	w := newTwins(t, []byte(in), nil, itemSpec(), dialect, Options{})
	w.in = nil // too much to show
	for w.next() {
		w.reject()
	}
	var got []int64
	for _, reject := range w.sinks[0].rejects {
		got = append(got, reject.Offset)
	}
	first := int64(len(header))
	if want := []int64{first, first + 12, int64(len(in) - 24), int64(len(in) - 12)}; !reflect.DeepEqual(got, want) {
		t.Errorf("rejects at bytes %d, want %d", got, want)
	}
}

// plainRecords are records on both sides of each rule for plain records.
var plainRecords = []struct {
	name    string
	dialect *shape.Dialect
	in      string
	decoded bool   // it is plain
	want    string // the row, or the reason of its reject, or "filtered"
}{
	{"plain", &trimmed, `1,2,"a b",140,1,"u"`, true, `[1,2,"a b","140.00","true","u"]`},
	{"carriage return", &trimmed, "1,2,\"a\",140,0,u\r", true, `[1,2,"a","140.00","false","u"]`},
	{"two carriage returns", &trimmed, "1,2,\"a\",140,0,u\r\r", false, `[1,2,"a","140.00","false","u\r"]`},
	{"7 digits", &trimmed, `1234567,2,a,1,1,u`, true, `[1234567,2,"a","1.00","true","u"]`},
	{"8 digits", &trimmed, `12345678,2,a,1,1,u`, true, `[12345678,2,"a","1.00","true","u"]`},
	{"9 digits", &trimmed, `123456789,2,a,1,1,u`, true, `[123456789,2,"a","1.00","true","u"]`},
	{
		"15 digits", &trimmed, `123456789012345,987654321098765,a,123456789012345,1,u`, true,
		`[123456789012345,987654321098765,"a","123456789012345.00","true","u"]`,
	},
	{"16 digits", &trimmed, `1234567890123456,2,a,1,1,u`, false, `[1234567890123456,2,"a","1.00","true","u"]`},
	{"16 digits of money", &trimmed, `1,2,a,1234567890123456,1,u`, false, `[1,2,"a","1234567890123456.00","true","u"]`},
	{"leading zeros", &trimmed, `007,2,a,1,1,u`, false, `[7,2,"a","1.00","true","u"]`},
	{"leading zeros of money", &trimmed, `7,2,a,00.10,1,u`, false, `[7,2,"a","0.10","true","u"]`},
	{"zero", &trimmed, `0,2,a,0,1,u`, true, `[0,2,"a","0.00","true","u"]`},
	{"minus zero", &trimmed, `-0,2,a,1,1,u`, false, `[0,2,"a","1.00","true","u"]`},
	{"quoted numbers", &trimmed, `"1","2",a,"3","1",u`, true, `[1,2,"a","3.00","true","u"]`},
	{"a quoted number with a space", &trimmed, `"1 ",2,a,3,1,u`, false, `not an int`},
	{"one decimal", &trimmed, `1,2,a,3.5,1,u`, false, `[1,2,"a","3.50","true","u"]`},
	{"two decimals", &trimmed, `1,2,a,3.05,1,u`, true, `[1,2,"a","3.05","true","u"]`},
	{"three decimals", &trimmed, `1,2,a,3.055,1,u`, false, `not money`},
	{"spaces before", &trimmed, `1, 2, "a",  3, 1, u`, true, `[1,2,"a","3.00","true","u"]`},
	{"a space after an int", &trimmed, `1 ,2,a,3,1,u`, false, `[1,2,"a","3.00","true","u"]`},
	{"a space after a text", &trimmed, `1,2,a ,3,1,u`, false, `[1,2,"a","3.00","true","u"]`},
	{"a space after a quote", &trimmed, `1,2,"a" ,3,1,u`, false, `[1,2,"a","3.00","true","u"]`},
	{"a space within quotes", &trimmed, `1,2," a ",3,1,u`, true, `[1,2," a ","3.00","true","u"]`},
	{"only spaces", &trimmed, `1,2,  ,3,1, `, true, `[1,2,"","3.00","true",""]`},
	{"spaces that are kept", &untrimmed, `1,2, a ,3,1, `, true, `[1,2," a ","3.00","true"," "]`},
	{"a kept space before a number", &untrimmed, `1, 2,a,3,1,u`, false, `not an int`},
	{"a kept space before a quote", &untrimmed, `1,2, "a",3,1,u`, false, `bare quote`},
	{"null", &trimmed, `1,2,null,null,1,u`, true, `[1,2,null,null,"true","u"]`},
	{"a word that begins like null", &trimmed, `1,2,nullable,3,1,u`, true, `[1,2,"nullable","3.00","true","u"]`},
	{"null in quotes", &trimmed, `1,2,"null",3,1,"null"`, true, `[1,2,"null","3.00","true","null"]`},
	{"null where it is not admitted", &trimmed, `1,2,a,3,1,null`, false, `null`},
	{"an empty field", &emptyNull, `1,2,,,1,`, true, `[1,2,null,null,"true",""]`},
	{"an empty last field with a carriage return", &emptyNull, "1,2,,,1,\r", true, `[1,2,null,null,"true",""]`},
	{"an empty text in quotes", &emptyNull, `1,2,"",,1,""`, true, `[1,2,"",null,"true",""]`},
	{"an empty flag", &emptyNull, `1,2,a,3,,u`, false, `null`},
	{"another null word", &emptyNull, `1,2,N/A,N,1,u`, true, `[1,2,null,null,"true","u"]`},
	{"a word that begins like two null words", &emptyNull, `1,2,N/,3,1,u`, true, `[1,2,"N/","3.00","true","u"]`},
	{"another null word where it is not admitted", &emptyNull, `1,2,a,3,1,N/A`, false, `null`},
	{"the filter", &trimmed, `1,0,a,3,1,u`, false, `filtered`},
	{"the filter in quotes", &trimmed, `1,"0",a,3,1,u`, false, `filtered`},
	{"the repair", &trimmed, `1,2,a,3,1,uhttps://x`, false, `[1,2,"a","3.00","true","https://x"]`},
	{"what the repair makes", &trimmed, `1,2,a,3,1,https://x`, true, `[1,2,"a","3.00","true","https://x"]`},
	{"an escape", &trimmed, `1,2,"a""b",3,1,u`, false, `[1,2,"a\"b","3.00","true","u"]`},
	{"a control character", &trimmed, "1,2,\"a\tb\",3,1,u", false, `[1,2,"a\tb","3.00","true","u"]`},
	{"not only ASCII", &trimmed, `1,2,"Größe 日本",3,1,u`, true, `[1,2,"Größe 日本","3.00","true","u"]`},
	{"not only ASCII without quotes", &trimmed, `1,2,Größe,3,1,u`, false, `[1,2,"Größe","3.00","true","u"]`},
	{"bytes that are no UTF-8", &trimmed, "1,2,\"a\xe9\",3,1,u", false, `not UTF-8`},
	{
		"a text as long as a word", &trimmed, `1,2,"12345678",3,1,"1234567890123456"`, true,
		`[1,2,"12345678","3.00","true","1234567890123456"]`,
	},
	{"true", &trimmed, `1,2,a,3,true,u`, true, `[1,2,"a","3.00","true","u"]`},
	{"10 for a flag", &trimmed, `1,2,a,3,10,u`, false, `not a flag`},
	{"a field too few", &trimmed, `1,2,a,3,1`, false, `field count`},
	{"a field too many", &trimmed, `1,2,a,3,1,u,`, false, `field count`},
}

var trimmed, untrimmed = *dialect, shape.Dialect{Delimiter: ",", Null: "null"}

var emptyNull = shape.Dialect{Delimiter: ",", Nulls: []string{"", "N", "N/A"}}

// TestDecodePlainRecords checks which records decode accepts, and the rows in either case.
func TestDecodePlainRecords(t *testing.T) {
	for _, c := range plainRecords {
		t.Run(c.name, func(t *testing.T) {
			for _, end := range []string{"\n", ""} {
				sink := &memory{}
				reader, err := NewReader(strings.NewReader(header+c.in+end), itemSpec(), c.dialect, sink, Options{})
				if err != nil {
					t.Fatal(err)
				}
				if reader.Release(); end == "\n" {
					if decoded := reader.decodeAhead(); decoded != c.decoded {
						t.Errorf("%q is decoded: %v, want %v", c.in, decoded, c.decoded)
					}
				} else if reader.decodeAhead() {
					t.Errorf("%q is decoded, but it has no line end and may be incomplete", c.in)
				}
				got := strings.Join(readAll(t, reader), " ")
				if len(sink.rejects) > 0 {
					got = string(sink.rejects[0].Reason)
				} else if reader.Counts().Filtered["no parent"] > 0 {
					got = "filtered"
				}
				if want := c.want; got != want && (end != "" || !strings.HasSuffix(c.in, "\r")) {
					t.Errorf("%q with end %q: %s, want %s", c.in, end, got, want)
				}
			}
		})
	}
}

// TestStrayLabel reads prices with a label before them, within the quotes of the label.
func TestStrayLabel(t *testing.T) {
	spec := &shape.Source{
		Name: "product", File: "product.csv", Key: shape.Indices{0}, Parent: -1,
		Columns:  []shape.Column{{Name: "id", Type: shape.Int}, {Name: "default_price", Type: shape.Money}},
		Repairs:  []shape.Repair{{Name: "stray label", Column: 1, Prefix: `"default_price":`}},
		Rendered: []int{0, 1},
	}
	in := "id, default_price\n1, 140\n2, \"default_price\": 49\n3, \"default_price\":\n" +
		"4, \"default_price\": \"5.5\"\n5, \"default_price\"\n6, 7\n"
	w := newTwins(t, []byte(in), nil, spec, dialect, Options{})
	var got []string
	for w.next() {
		rows := w.readers[0].Rows()
		cells := rows.Row(int32(rows.Len() - 1))
		got = append(got, string(rows.Text(&cells[0]))+":"+string(rows.Text(&cells[1])))
	}
	w.release()
	if want := "1:140.00 2:49.00 4:5.50 6:7.00"; strings.Join(got, " ") != want {
		t.Errorf("read %s, want %s", got, want)
	}
	counts := w.readers[0].Counts()
	if counts.Repaired["stray label"] != 2 || counts.Rejected[NotMoney] != 2 || counts.Used != 4 {
		t.Errorf("Counts() = %+v, want two repaired and two that are no money", counts)
	}
}

// TestLongRecordInAGrownBuffer holds rows until the buffer is larger than the longest record, so that the whole of a too long record
// is in the buffer when decode reads it.
func TestLongRecordInAGrownBuffer(t *testing.T) {
	var in bytes.Buffer
	in.WriteString(header)
	for id := range 60_000 {
		fmt.Fprintf(&in, "%d,2,\"some text of some length\",3,1,\"https://images.example.com\"\n", id+1)
	}
	around := len(`7,2,"",3,1,u`)
	for _, size := range []int{csvscan.MaxLine - 1, csvscan.MaxLine, csvscan.MaxLine + 1, csvscan.MaxLine + 2, 2 * csvscan.MaxLine} {
		for _, end := range []string{"\n", "\r\n"} {
			fmt.Fprintf(&in, `7,2,"%s",3,1,u`+end, strings.Repeat("x", size-around))
		}
	}
	in.WriteString("8,2,a,3,1,u\n")
	w := newTwins(t, in.Bytes(), nil, itemSpec(), dialect, Options{})
	for _, reader := range w.readers {
		for {
			more, err := reader.Next()
			if err != nil {
				t.Fatal(err)
			}
			if !more {
				break
			}
		}
	}
	w.in = nil // too much to show
	w.compare()
	w.release()
	counts := w.readers[0].Counts()
	if counts.Rejected[LineTooLong] != 6 || counts.Used != 60_005 {
		t.Errorf("Counts() = %+v, want six lines that are too long and all others", counts)
	}
}

// TestRowsAreKeptAcrossFills keeps every row of a file that is much larger than a buffer, and reads all of them at the end.
func TestRowsAreKeptAcrossFills(t *testing.T) {
	const rows = 20_000
	var in bytes.Buffer
	in.WriteString(header)
	for id := range rows {
		url := []string{`"https://u"`, `"uhttps://u"`, "https://u"}[id%3]
		fmt.Fprintf(&in, "%d,%d,\"text %d\",%d,%d,%s\n", id+1, id/2+1, id, id, id%2, url)
	}
	for how, input := range map[string]io.Reader{
		"whole": bytes.NewReader(in.Bytes()), "halves": iotest.HalfReader(bytes.NewReader(in.Bytes())),
	} {
		reader, sink := open(t, input)
		eachRow(t, reader, func() {})
		held := reader.Rows()
		if held.Len() != rows || len(sink.rejects) > 0 {
			t.Fatalf("%s: %d rows, %d rejects", how, held.Len(), len(sink.rejects))
		}
		for id := range rows {
			row := held.Row(int32(id))
			got := fmt.Sprintf("%d %s %s %s %s",
				held.Keys()[id], held.Text(&row[0]), held.Text(&row[1]), held.Text(&row[2]), held.Text(&row[3]))
			if want := fmt.Sprintf("%d text %d %d.00 %v https://u", id+1, id, id, id%2 == 1); got != want {
				t.Fatalf("%s: row %d is %s, want %s", how, id, got, want)
			}
		}
	}
}
