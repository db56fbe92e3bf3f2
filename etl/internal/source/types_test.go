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
		},
		Rendered: []int{0, 1, 2, 3, 4},
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
	shape.Flag: {
		good: map[string]string{
			"0": "false", "1": "true", "t": "true", "F": "false", "Yes": "true", "no": "false", "Y": "true", "n": "false",
			"TRUE": "true", "False": "false",
		},
		faulty: []string{"", "2", "tr", "truee", "10", "on", "falsehood", "ye"},
		reason: NotFlag,
	},
}

// TestTypes reads fields of each type, quoted and bare, in a column that is rendered and in one that is not.
func TestTypes(t *testing.T) {
	for kind, fields := range typeForms {
		spec := &shape.Source{
			File: "a.csv", Key: shape.Indices{0}, Parent: -1,
			Columns:  []shape.Column{{Name: "id", Type: shape.Int}, {Name: "value", Type: kind}},
			Rendered: []int{1},
		}
		read := func(in string) (string, Reason) {
			w := newTwins(t, []byte("id,value\n"+in+"\n"), nil, spec, &shape.Dialect{Delimiter: ","}, Options{})
			if w.next() {
				rows := w.readers[0].Rows()
				return string(rows.Text(&rows.Row(0)[0])), ""
			}
			return "", w.sinks[0].rejects[0].Reason
		}
		for text, want := range fields.good {
			for _, in := range []string{"1," + text, `1,"` + text + `"`, "1," + text + "\r"} {
				if got, reason := read(in); got != want {
					t.Errorf("%s %q is %q (%s), want %q", kind, in, got, reason, want)
				}
			}
		}
		for _, text := range fields.faulty {
			for _, in := range []string{"1," + text, `1,"` + text + `"`} {
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
				slices.Sort(pool)
				if random.IntN(30) == 0 {
					pool = append(forms.faulty, `\N`, " 1", "1 ", `"1`, `"1"x`)
				}
				field := pool[random.IntN(len(pool))]
				if random.IntN(3) == 0 {
					field = `"` + field + `"`
				}
				fields = append(fields, field)
			}
			in += strings.Join(fields, delimiter) + []string{"\n", "\n", "\r\n"}[random.IntN(3)]
		}
		newTwins(t, []byte(in), nil, spec, &d, Options{}).run([]byte{0, 4, 8})
	}
}

// TestTypesAllocateNothing reads plain rows and others.
func TestTypesAllocateNothing(t *testing.T) {
	spec := typed()
	in := "id,lat,lon,hot,cold\n" + strings.Repeat("1,48.1234567,-11.5,t,\n2,.5,1e5,no,\"TRUE\"\n", 20_000)
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
