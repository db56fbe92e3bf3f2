package source

import (
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"systemscale/etl/internal/shape"
)

// typed is a source with two columns of each type that a field may be of in many forms, one with and one without null.
func typed() *shape.Source {
	return &shape.Source{
		Name: "typed", File: "typed.csv", Key: shape.Indices{0}, Parent: -1,
		Columns: []shape.Column{
			{Name: "id", Type: shape.Int},
			{Name: "lat", Type: shape.Decimal},
			{Name: "lon", Type: shape.Decimal, Nullable: true},
			{Name: "hot", Type: shape.Flag},
			{Name: "cold", Type: shape.Flag, Nullable: true},
			{Name: "price", Type: shape.Money, Numbers: &shape.Numbers{Decimal: "·", Thousands: "'", Currency: []string{"€"}}},
			{Name: "cost", Type: shape.Money, Nullable: true, Numbers: &shape.Numbers{Decimal: "·", Thousands: "'", Currency: []string{"€"}}},
			{Name: "day", Type: shape.Date},
			{Name: "at", Type: shape.Time, Nullable: true},
			{Name: "more", Type: shape.JSON, Nullable: true},
			{Name: "stamp", Type: shape.Time, Nullable: true, Format: "epoch ms"},
		},
		Filters: []shape.Filter{
			{Name: "leap day", Column: 7, Test: &shape.Test{Terms: []shape.Term{{Operator: shape.Is, Values: []string{"2000-02-29"}}}}},
			{Name: "late", Column: 8, Test: &shape.Test{Terms: []shape.Term{{Operator: shape.AtLeast, Values: []string{"2025-01-01T00:00:00Z"}}}}},
			{Name: "no more", Column: 9, Test: &shape.Test{Terms: []shape.Term{{Operator: shape.Not, Null: true}}}, Keep: true},
			{Name: "far", Column: 1, Test: &shape.Test{Terms: []shape.Term{{Operator: shape.Above, Values: []string{"1e3"}}}}},
			{Name: "dear", Column: 5, Keep: true, Test: &shape.Test{Terms: []shape.Term{{Operator: shape.AtMost, Values: []string{"50"}}}}},
			{Name: "cheap", Column: 6, Test: &shape.Test{Terms: []shape.Term{{Operator: shape.Is, Values: []string{"4.50"}, Null: true}}}},
		},
		Rendered: []int{0, 1, 2, 3, 4, 5, 7, 8, 9},
	}
}

// typeForms are fields of each type: good ones, with the text in a document, and faulty ones.
var typeForms = map[shape.Type]struct {
	good   map[string]string
	faulty []string
	reason Reason
}{
	shape.Decimal: {
		good: map[string]string{
			"0": "0", "4": "4", "48.1234567": "48.1234567", "-11.7654321": "-11.7654321", ".5": "0.5", "-0": "0", "-0.00": "0.00", "-0.05": "-0.05",
			"007": "7", "+7": "7", "1e5": "1e5", "1.5E-3": "1.5E-3", "7.8900000000000006": "7.8900000000000006", "10.0": "10.0",
			"123456789012345678901234567890.5": "123456789012345678901234567890.5", ".0000": "0.0000",
		},
		faulty: []string{"", "4.", ".", "-", "--1", "1.2.3", "NaN", "Infinity", "1e", "0x1", "12a", "1_000"},
		reason: NotDecimal,
	},
	shape.Money: {
		good:   map[string]string{"4": "4.00", "4.5": "4.50", "-0.05": "-0.05"},
		faulty: []string{"4.555", "", ".5", "€4", "4·5"},
		reason: NotMoney,
	},
	shape.Date: {
		good:   map[string]string{"2024-01-31": "2024-01-31", "2000-02-29": "2000-02-29", "2024-1-5": "2024-01-05"},
		faulty: []string{"", "2024-02-30", "31.01.2024", "2024-01-31 ", "2024-01-31T00:00:00Z", "0"},
		reason: NotDate,
	},
	shape.Time: {
		good: map[string]string{
			"2024-01-31T10:11:12Z": "2024-01-31T10:11:12Z", "2024-01-31T10:11:12+02:00": "2024-01-31T08:11:12Z",
			"2024-12-31T23:11:12-0100": "2025-01-01T00:11:12Z",
		},
		faulty: []string{"", "2024-01-31", "2024-01-31T24:00:00Z", "2024-02-30T10:11:12Z", "2024-01-31T10:11:12", "1706695872"},
		reason: NotTime,
	},
	shape.JSON: {
		good: map[string]string{
			"1": "1", "true": "true", `"null"`: `"null"`, "[]": "[]", " { } ": "{}", `{"a": [1, -2.50e3, "x\"y"], "b": {"c": null}}`: `{"a":[1,-2.50e3,"x\"y"],"b":{"c":null}}`,
			`"\u00e9\ud83d\ude00\n"`: `"\u00e9\ud83d\ude00\n"`, "[[[]],{}]": "[[[]],{}]", `"é"`: `"é"`, "-0": "0", "\t7": "7",
		},
		faulty: []string{
			"", " ", "{", "[1,]", "[1 2]", `{"a"}`, `{"a":}`, `{a:1}`, "01", "+1", ".5", "1.", "nul", "nulls", "1 2", "'a'", `"a`, `"\x"`, `"\u00"`,
			`"\u0000"`, `"\ud800"`, `"\ud800\u0041"`, `"\udc00"`, "\"a\tb\"", "1e1001", "NaN", "[}", `{"a":1,}`, "-", "1e", "--1",
			strings.Repeat("[", 501) + strings.Repeat("]", 501),
		},
		reason: NotJSON,
	},
	shape.Flag: {
		good: map[string]string{
			"0": "false", "1": "true", "t": "true", "F": "false", "Yes": "true", "no": "false", "Y": "true", "n": "false",
			"TRUE": "true", "False": "false",
		},
		faulty: []string{"", "2", "tr", "truee", "10", "on", "falsehood", "ye"},
		reason: NotFlag,
	},
}

// readValue reads the second field of a record. It returns its text or the reason of the reject.
func readValue(t *testing.T, record string, column shape.Column, dialect *shape.Dialect) (string, Reason) {
	t.Helper()
	spec := &shape.Source{
		File: "a.csv", Key: shape.Indices{0}, Parent: -1,
		Columns: []shape.Column{{Name: "id", Type: shape.Int}, column}, Rendered: []int{1},
	}
	in := "id" + string(dialect.Delimiter) + column.Name + "\n" + record + "\n"
	w := newTwins(t, []byte(in), nil, spec, dialect, Options{})
	if w.next() {
		rows := w.readers[0].Rows()
		return string(rows.Text(&rows.Row(0)[0])), ""
	}
	return "", w.sinks[0].rejects[0].Reason
}

// TestNumbers reads numbers in the notations of several countries. A text without a result is rejected.
func TestNumbers(t *testing.T) {
	comma := &shape.Numbers{Decimal: ",", Thousands: ".", Currency: []string{"€", "EUR"}}
	dollar := &shape.Numbers{Decimal: ".", Thousands: ",", Currency: []string{"$", "US$"}}
	space := &shape.Numbers{Decimal: ",", Thousands: " ", Currency: []string{"kr."}}
	bare := &shape.Numbers{Decimal: ","}
	for _, c := range []struct {
		numbers *shape.Numbers
		kind    shape.Type
		values  map[string]string
	}{
		{comma, shape.Money, map[string]string{
			"4,50": "4.50", "1.299,00": "1299.00", "7": "7.00", "-1.299,5": "-1299.50", "12.345.678": "12345678.00", "€4,50": "4.50",
			"4,50 €": "4.50", "4,50\u00a0€": "4.50", "€ -4,50": "-4.50", "-€4,50": "-4.50", "EUR 1.000": "1000.00", "7EUR": "7.00", "0,07": "0.07",
			"4.50": "", "1.2": "", "1.29,00": "", "1299.000": "", "1..299": "", ".299": "", "1.": "", "1.299.": "", "0.123": "", "01.234": "",
			"1,299.00": "", "1,299": "", "4,": "", ",5": "", "€": "", "": "", "€€4": "", "$4": "", "4,50  €": "", "--4": "", "-€-4": "", "4,5e1": "",
			"1.234,567.890": "", "1 299": "",
		}},
		{dollar, shape.Money, map[string]string{
			"$4.50": "4.50", "US$4.50": "4.50", "$1,299.00": "1299.00", "-$3": "-3.00", "4.50$": "4.50", "1299.5": "1299.50",
			"4,50": "", "1,2": "", "$1,29": "", "US": "", "1,299,00": "",
		}},
		{dollar, shape.Decimal, map[string]string{
			"$4.12345": "4.12345", "1,299.5": "1299.5", "1.5e3": "1.5e3", "1,000e3": "1000e3", "-.5": "-0.5", "+7": "7", "1.2,3": "", "e5": "",
		}},
		{comma, shape.Decimal, map[string]string{"48,1234567": "48.1234567", ",5": "0.5", "1,5e-3": "1.5e-3", "1.5": "", "1,5e-3,0": ""}},
		{bare, shape.Decimal, map[string]string{"48,1": "48.1", "7": "7", "1.5": "", "1e5": "1e5", "1e5.0": ""}},
		{space, shape.Money, map[string]string{
			"1 299,00": "1299.00", "1\u00a0299,00": "1299.00", "1\u202f299": "1299.00", "1 299,00 kr.": "1299.00", "1299,00": "1299.00",
			"1 29": "", "1  299": "", " 299": "", "1.299": "",
		}},
		{comma, shape.Int, map[string]string{"1.299": "1299", "1299": "1299", "-1.000.000": "-1000000", "7,0": "", "7,5": "", "1.29": "", "€7": ""}},
	} {
		for text, want := range c.values {
			for _, d := range []*shape.Dialect{{Delimiter: ";", Numbers: c.numbers}, {Delimiter: ";", Numbers: &shape.Numbers{Decimal: "#"}}} {
				column := shape.Column{Name: "value", Type: c.kind}
				if d.Numbers != c.numbers {
					column.Numbers = c.numbers
				}
				for _, record := range []string{"1;" + text, `1;"` + text + `"`} {
					got, reason := readValue(t, record, column, d)
					if got != want || (reason == "") != (want != "") {
						t.Errorf("%s %q in the notation %+v is %q (%s), want %q", c.kind, record, *c.numbers, got, reason, want)
					}
				}
			}
		}
	}
}

// records returns records with a text as the second field.
func records(text string) []string {
	quoted := `1,"` + strings.ReplaceAll(text, `"`, `""`) + `"`
	if strings.ContainsAny(text, `",`) {
		return []string{quoted}
	}
	return []string{quoted, "1," + text, "1," + text + "\r"}
}

// TestTypes reads fields of each type, quoted and bare, in a column that is rendered and in one that is not.
func TestTypes(t *testing.T) {
	for kind, fields := range typeForms {
		read := func(in string) (string, Reason) {
			return readValue(t, in, shape.Column{Name: "value", Type: kind}, &shape.Dialect{Delimiter: ","})
		}
		for text, want := range fields.good {
			for _, in := range records(text) {
				if got, reason := read(in); got != want {
					t.Errorf("%s %q is %q (%s), want %q", kind, in, got, reason, want)
				}
			}
		}
		for _, text := range fields.faulty {
			for _, in := range records(text) {
				if got, reason := read(in); reason != fields.reason {
					t.Errorf("%s %q is %q, rejected: %q, want %q", kind, in, got, reason, fields.reason)
				}
			}
		}
	}
}

// TestDecodeTypes compares random rows with fields of all types as FuzzDecodeAgainstConvert does.
func TestDecodeTypes(t *testing.T) {
	random := rand.New(rand.NewPCG(25, 26))
	spec := typed()
	names := make([]string, len(spec.Columns))
	for i, c := range spec.Columns {
		names[i] = c.Name
	}
	for range 300 {
		d := shape.Dialect{Delimiter: shape.Delimiter(",;\t"[random.IntN(3)]), Nulls: []string{"", `\N`}, TrimSpaces: random.IntN(2) == 0}
		delimiter := string(d.Delimiter)
		in := strings.Join(names, delimiter) + "\n"
		for range 1 + random.IntN(80) {
			fields := []string{"7"}
			for _, c := range spec.Columns[1:] {
				forms := typeForms[c.Type]
				pool := make([]string, 0, len(forms.good))
				for text := range forms.good {
					pool = append(pool, text)
				}
				if c.Numbers != nil {
					pool = []string{"4", "4·50", "1'299·00", "€4", "5 €", "€-7·5"}
				}
				if c.Format != "" {
					pool = []string{"1596080481467", "-1", "0"}
				}
				slices.Sort(pool)
				if random.IntN(30) == 0 {
					pool = append(forms.faulty, `\N`, " 1", "1 ", `"1`, `"1"x`)
				}
				field := pool[random.IntN(len(pool))]
				if random.IntN(3) == 0 || strings.ContainsAny(field, `",;`+"\t") {
					field = `"` + strings.ReplaceAll(field, `"`, `""`) + `"`
				}
				fields = append(fields, field)
			}
			in += strings.Join(fields, delimiter) + []string{"\n", "\n", "\r\n"}[random.IntN(3)]
		}
		newTwins(t, []byte(in), nil, spec, &d, Options{}).run([]byte{0, 4, 8})
	}
}

// TestTypesAreDecoded reads records of all types that need no convert.
func TestTypesAreDecoded(t *testing.T) {
	for _, record := range []string{
		"1,48.1234567,-11.5,t,,4·50,7,2024-01-31,2024-01-31T10:11:12Z,5,1596080481467", `1,"48.1","0.50",True,N,"€5",,"2024-01-31",,[],`,
	} {
		in := "id,lat,lon,hot,cold,price,cost,day,at,more,stamp\n" + record + "\n"
		reader, err := NewReader(strings.NewReader(in), typed(), &shape.Dialect{Delimiter: ",", Nulls: []string{""}}, &memory{}, Options{})
		if err != nil {
			t.Fatal(err)
		}
		reader.Release()
		if cheap := strings.Contains(record, ",,[]"); reader.decodeAhead() == cheap { // a filter drops it
			t.Errorf("%s is decoded: %v", record, !cheap)
		}
	}
}

// TestTypesAllocateNothing reads plain rows and others.
func TestTypesAllocateNothing(t *testing.T) {
	spec := typed()
	in := "id,lat,lon,hot,cold,price,cost,day,at,more,stamp\n" + strings.Repeat("1,48.1234567,-11.5,t,,4·50,7,2024-01-31,2024-01-31T10:11:12Z,5,1596080481467\n2,.5,1e5,no,\"TRUE\",€7·5,1'234,\"2024-01-31\",2024-01-31T10:11:12+01:00,\"[1, {\"\"a\"\":[2]}]\",\n", 20_000)
	reader, err := NewReader(strings.NewReader(in), spec, &shape.Dialect{Delimiter: ",", Nulls: []string{""}}, &memory{}, Options{})
	if err != nil {
		t.Fatal(err)
	}
	next := func() {
		if more, err := reader.Next(); err != nil || !more {
			t.Fatal(more, err)
		}
		reader.Release()
	}
	for range 10_000 { // until the buffers have grown
		next()
	}
	if n := testing.AllocsPerRun(20_000, next); n != 0 {
		t.Errorf("%v allocations per row, want 0", n)
	}
}
