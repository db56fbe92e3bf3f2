package source

import (
	"cmp"
	"fmt"
	"math"
	"slices"
	"strings"
	"testing"

	"systemscale/etl/internal/shape"
)

// parsed returns the sources of a shape.
func parsed(t *testing.T, text string) *shape.Shape {
	t.Helper()
	spec, err := shape.Parse("keys.yaml", []byte("collection: keys\n"+text))
	if err != nil {
		t.Fatal(err)
	}
	return spec
}

// TestTextKeys reads keys on the fast path and off it, where the last column has an escaped quote.
func TestTextKeys(t *testing.T) {
	spec := parsed(t, `
dialect: {null: "-"}
sources:
  a: {file: a.csv, key: [k, l], columns: {k: text, l: int, v: text?}}
  b: {file: b.csv, key: n, parent: a, on: [x, y], columns: {n: text?, y: int?, x: text, t: text}}
  c: {file: c.csv, parent: a, on: {of: v}, columns: {of: text}}
documents: {all: {path: "", body: {id: k, b: {each: b, as: t}}}}
`)
	a, b := &spec.Sources[0], &spec.Sources[1]
	for _, c := range []struct {
		name, rows string
		of         *shape.Source
		want       string
	}{
		{"ids", "p/q%,-3,r\n\"p\",007,-\n", a, `"p%2Fq%25/-3""" ["r"] "p/7""" [""]`},
		{"keys", "k,5,x,t\n\"k k\",-1,\"x/\",t\n", b, `"k""x/5" "k k""x%2F/-1"`},
		{
			"rejects",
			"-,5,x,t\nk,-,x,t\n,5,x,t\n" + strings.Repeat("k", 513) + ",5,x,t\nk,5,..,t\nk,5,,t\nk,5," +
				strings.Repeat("x", 511) + ",t\n",
			b,
			"null n, key length n, key length n, no id x, key length x, no id x; 1 without a parent",
		},
		{
			"an id that is no address", ".,1,-\n..,1,-\n" + strings.Repeat("/", 200) + ",1,-\n", a,
			"no id k, no id k, no id k; 0 without a parent",
		},
	} {
		for way, end := range map[string]string{"plain": "\n", "converted": ",\"\"\"\"\n"} {
			t.Run(c.name+", "+way, func(t *testing.T) {
				var header []string
				for _, column := range c.of.Columns {
					header = append(header, column.Name)
				}
				text := strings.ReplaceAll(strings.Join(header, ",")+"\n"+c.rows, "\n", end)
				text = strings.Replace(text, end, strings.Replace(end, `""""`, "more", 1), 1)
				sink := &memory{}
				reader, err := NewReader(strings.NewReader(text), c.of, spec.DialectOf(c.of), sink, Options{})
				if err != nil {
					t.Fatal(err)
				}
				keys := reader.Rows().TextKeys()
				var got []string
				for more := true; more; {
					if more, err = reader.Next(); err != nil {
						t.Fatal(err)
					}
					if !more {
						break
					}
					row := fmt.Sprintf("%q%q", keys.Last(), keys.LastParent())
					if len(c.of.References) > 0 {
						row += fmt.Sprintf(" [%q]", keys.LastReference(0))
					}
					got = append(got, row)
				}
				result := strings.Join(got, " ")
				if len(sink.rejects) > 0 {
					var rejects []string
					for _, reject := range sink.rejects {
						rejects = append(rejects, fmt.Sprintf("%s %s", reject.Reason, reject.Column))
					}
					result = fmt.Sprintf("%s; %d without a parent", strings.Join(rejects, ", "), reader.Counts().WithoutParent)
				}
				if result != c.want {
					t.Errorf("got  %s\nwant %s", result, c.want)
				}
			})
		}
	}
}

// TestKeysHaveTheOrderOfTheirValues compares encoded keys with their values.
func TestKeysHaveTheOrderOfTheirValues(t *testing.T) {
	type key struct {
		text   string
		number int64
	}
	var keys []key
	for _, text := range []string{"a", "a\x01", "ab", "b", "\u00e9", "\U0001f600"} {
		for _, number := range []int64{math.MinInt64, -256, -1, 0, 1, 255, 256, math.MaxInt64} {
			keys = append(keys, key{text, number})
		}
	}
	for _, kinds := range [][]shape.Type{{shape.Text, shape.Int}, {shape.Int, shape.Text}} {
		encode := func(k key) string {
			var encoded []byte
			for at, kind := range kinds {
				value := k.text
				if kind == shape.Int {
					value = fmt.Sprint(k.number)
				}
				encoded, _ = AppendKeyPart(encoded, kind, []byte(value), shape.EncodedKeys, at, len(kinds))
			}
			return string(encoded)
		}
		for _, a := range keys {
			for _, b := range keys {
				texts, numbers := strings.Compare(a.text, b.text), cmp.Compare(a.number, b.number)
				want := []int{texts, numbers}
				if kinds[0] == shape.Int {
					slices.Reverse(want)
				}
				if want[0] == 0 {
					want[0] = want[1]
				}
				if got := strings.Compare(encode(a), encode(b)); got != want[0] {
					t.Errorf("%v compared with %v: %d, want %d", a, b, got, want[0])
				}
			}
		}
	}
}

func TestShowKey(t *testing.T) {
	spec := &shape.Source{Columns: []shape.Column{{Name: "n", Type: shape.Int}, {Name: "t", Type: shape.Text}}}
	var key []byte
	key, _ = AppendKeyPart(key, shape.Text, []byte("a b"), shape.EncodedKeys, 0, 2)
	key, _ = AppendKeyPart(key, shape.Int, []byte("-7"), shape.EncodedKeys, 1, 2)
	if got := ShowKey(spec, shape.Indices{1, 0}, shape.EncodedKeys, string(key)); got != "a b, -7" {
		t.Errorf("ShowKey = %q", got)
	}
	if got := ShowKey(spec, shape.Indices{0, 1}, shape.IDKeys, "1/b"); got != "1/b" {
		t.Errorf("ShowKey of an id = %q", got)
	}
}
