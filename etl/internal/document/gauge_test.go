package document

import (
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"systemscale/etl/internal/join"
	"systemscale/etl/internal/shape"
	"systemscale/etl/internal/source"
	"systemscale/etl/shapes"
)

// gauged joins files, and calls check with each item, its documents, and the result of a Gauge that grew with the item.
func gauged(
	t *testing.T, spec *shape.Shape, open func(file string) io.Reader,
	check func(tree *join.Tree, texts []string, document int, size int64),
) (calls int) {
	t.Helper()
	readers := make([]*source.Reader, len(spec.Sources))
	for i := range spec.Sources {
		var err error
		readers[i], err = source.NewReader(open(spec.Sources[i].File), &spec.Sources[i], &spec.Dialect, noRejects{t}, source.Options{})
		if err != nil {
			t.Fatal(err)
		}
	}
	joiner, err := join.New(spec.Sources, readers, join.Options{})
	if err != nil {
		t.Fatal(err)
	}
	gauge := NewGauge(spec)
	last := int64(0)
	joiner.Watch(func(_ *source.Reader, tree *join.Tree) error {
		_, size := gauge.Grow(tree)
		if size < last {
			t.Errorf("the size of an item fell from %d to %d bytes", last, size)
		}
		last, calls = size, calls+1
		return nil
	})
	for {
		tree, err := joiner.Next()
		if err == io.EOF {
			return calls
		}
		if err != nil {
			t.Fatal(err)
		}
		var texts []string
		for i := range spec.Endpoints {
			texts = append(texts, string(New(spec, &spec.Endpoints[i]).Append(nil, tree)))
		}
		document, size := gauge.Grow(tree)
		check(tree, texts, document, size)
		last = 0
	}
}

// TestGaugeIsLowerBound gauges real files, in which many items have no children of some sources.
func TestGaugeIsLowerBound(t *testing.T) {
	spec, err := shape.Parse(shapes.ProductsName, shapes.Products)
	if err != nil {
		t.Fatal(err)
	}
	files := func(file string) io.Reader {
		text, err := os.ReadFile(filepath.Join("..", "..", "testdata", "v1", file))
		if err != nil {
			t.Fatal(err)
		}
		return strings.NewReader(string(text))
	}
	gauged(t, spec, files, func(tree *join.Tree, texts []string, document int, size int64) {
		if actual := int64(len(texts[document])); size > actual || size < actual/2 {
			t.Errorf("%s of %d has %d bytes, but the lower bound is %d", spec.Endpoints[document].Name, tree.ID().Int(), actual, size)
		}
	})
}

// TestGaugeIsExact gauges an item with rows of all sources, without characters that must be escaped.
func TestGaugeIsExact(t *testing.T) {
	spec, err := shape.Parse("deep.yaml", []byte(`
collection: deep
dialect: {null: "null"}
sources:
  a: {file: a.csv, key: id, columns: {id: int, word: text, sum: money?}}
  b: {file: b.csv, key: id, parent: a, on: a, columns: {id: int, a: int, word: text?, yes: flag}}
  c: {file: c.csv, key: id, parent: b, on: b, columns: {id: int, b: int, word: text}}
  d: {file: d.csv, key: id, parent: a, on: a, columns: {id: int, a: int, hidden: text}}
documents:
  short: {list: true, body: {id: {text: id}}}
  long:
    path: ""
    body:
      word: word
      sum: sum
      b: {each: b, keyed: id, as: {word: word, yes: yes, c: {each: c, as: word}, again: {each: c, as: {object: {each: id}}}}}
      d: {each: d, as: {hidden: {text: a}}}
`))
	if err != nil {
		t.Fatal(err)
	}
	rows := map[string]*strings.Builder{"a.csv": {}, "b.csv": {}, "c.csv": {}, "d.csv": {}}
	for name, header := range map[string]string{"a.csv": "id,word,sum\n", "b.csv": "id,a,word,yes\n", "c.csv": "id,b,word\n", "d.csv": "id,a,hidden\n"} {
		rows[name].WriteString(header)
	}
	id := 0
	for a := 1; a <= 3; a++ {
		fmt.Fprintf(rows["a.csv"], "%d,word %d,%s\n", a, a, []string{"null", "7", "12.50"}[a-1])
		for range 1500 * (a - 1) {
			id++
			fmt.Fprintf(rows["b.csv"], "%d,%d,%s,%d\n", id, a, []string{"null", `"null"`, "b"}[id%3], id%2)
			fmt.Fprintf(rows["c.csv"], "%d,%d,\"%s\"\n", 2*id, id, strings.Repeat("c", id%60))
			fmt.Fprintf(rows["c.csv"], "%d,%d,\n", 2*id+1, id)
			fmt.Fprintf(rows["d.csv"], "%d,%d,hidden\n", id, a)
		}
	}
	calls := gauged(t, spec, func(file string) io.Reader { return strings.NewReader(rows[file].String()) },
		func(tree *join.Tree, texts []string, document int, size int64) {
			// A product without children has [] and {}, and the Gauge counts one byte of each.
			want := int64(len(texts[1]))
			if tree.ID().Int() == 1 {
				want -= 2
			}
			if document != 1 || size != want {
				t.Errorf("document %d of %d has a lower bound of %d bytes, want document 1 and %d", document, tree.ID().Int(), size, want)
			}
		})
	if calls < 30 {
		t.Errorf("the joiner called only %d times", calls)
	}
}
