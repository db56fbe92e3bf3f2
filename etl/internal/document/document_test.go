package document

import (
	"bytes"
	stdjson "encoding/json"
	"flag"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/goccy/go-json"

	"systemscale/etl/internal/join"
	"systemscale/etl/internal/shape"
	"systemscale/etl/internal/source"
	"systemscale/etl/shapes"
)

var update = flag.Bool("update", false, "rewrite the golden files")

type noRejects struct{ t testing.TB }

func (n noRejects) Reject(r source.Reject) error {
	n.t.Errorf("reject of %s:%d: %s", r.File, r.Line, r.Reason)
	return nil
}

// render returns every document of every item: texts[id][document].
func render(t testing.TB, spec *shape.Shape, open func(file string) io.Reader) map[int64]map[string]string {
	t.Helper()
	readers := make([]*source.Reader, len(spec.Sources))
	for i := range spec.Sources {
		reader, err := source.NewReader(open(spec.Sources[i].File), &spec.Sources[i], &spec.Dialect, noRejects{t}, source.Options{})
		if err != nil {
			t.Fatal(err)
		}
		readers[i] = reader
	}
	joiner, err := join.New(spec.Sources, readers, join.Options{})
	if err != nil {
		t.Fatal(err)
	}
	texts := map[int64]map[string]string{}
	for {
		tree, err := joiner.Next()
		if err == io.EOF {
			return texts
		}
		if err != nil {
			t.Fatal(err)
		}
		texts[tree.ID().Int()] = map[string]string{}
		for i := range spec.Endpoints {
			d := &spec.Endpoints[i]
			texts[tree.ID().Int()][d.Name] = string(New(spec, d).Append(nil, tree))
		}
	}
}

func products(t testing.TB) map[int64]map[string]string {
	t.Helper()
	spec, err := shape.Parse(shapes.ProductsName, shapes.Products)
	if err != nil {
		t.Fatal(err)
	}
	return render(t, spec, func(file string) io.Reader {
		text, err := os.ReadFile(filepath.Join("..", "..", "testdata", "v1", file))
		if err != nil {
			t.Fatal(err)
		}
		return bytes.NewReader(text)
	})
}

// TestRealResponses compares the documents of real rows with responses of the client's original service.
func TestRealResponses(t *testing.T) {
	got := products(t)
	for file, at := range map[string]struct {
		id       int64
		document string
	}{
		"products-1.json": {1, "product"}, "products-1-styles.json": {1, "styles"}, "products-1-related.json": {1, "related"},
		"products-2.json": {2, "product"}, "products-2-styles.json": {2, "styles"}, "products-2-related.json": {2, "related"},
	} {
		want, err := os.ReadFile(filepath.Join("..", "..", "testdata", "v1", "expected", file))
		if err != nil {
			t.Fatal(err)
		}
		if !sameJSON(t, got[at.id][at.document], string(want)) {
			t.Errorf("%s: rendered %s, want %s", file, got[at.id][at.document], want)
		}
	}
}

func sameJSON(t testing.TB, a, b string) bool {
	t.Helper()
	var left, right any
	for text, into := range map[*string]*any{&a: &left, &b: &right} {
		decoder := stdjson.NewDecoder(strings.NewReader(*text))
		decoder.UseNumber()
		if err := decoder.Decode(into); err != nil {
			t.Fatalf("%s is not JSON: %v", *text, err)
		}
	}
	return reflect.DeepEqual(left, right)
}

// TestEmptyDocuments checks the values for no rows: the client reads photos[0] and fails on an empty array.
func TestEmptyDocuments(t *testing.T) {
	got := products(t)
	for name, c := range map[string]struct {
		id             int64
		document, want string
	}{
		"no related":  {10, "related", `[]`},
		"no styles":   {350, "styles", `{"product_id":"350","results":[]}`},
		"no features": {350, "product", `"features":[]`},
		"no photos":   {169, "styles", `"photos":[{"thumbnail_url":null,"url":null}]`},
		"no SKUs":     {169, "styles", `"skus":{"null":{"quantity":null,"size":null}}`},
	} {
		if !strings.Contains(got[c.id][c.document], c.want) {
			t.Errorf("%s: product %d's %s is %s, want %s in it", name, c.id, c.document, got[c.id][c.document], c.want)
		}
	}
}

// TestTextRoundTrip converts random texts with all kinds of characters that JSON escapes from CSV to JSON, and decodes them.
func TestTextRoundTrip(t *testing.T) {
	spec, err := shape.Parse("texts.yaml", []byte(`
collection: texts
sources: {text: {file: text.csv, key: id, columns: {id: int, text: text}}}
documents: {text: {path: "", body: text}}
`))
	if err != nil {
		t.Fatal(err)
	}
	random := rand.New(rand.NewPCG(3, 4))
	alphabets := []string{"a", `a"`, `a\`, "a\t", "a\x01\x1f", "aé日", `a"\`, "a\x7f,"}
	texts := map[int64]string{}
	var file strings.Builder
	file.WriteString("id,text")
	for id := int64(1); id <= 4_000; id++ {
		alphabet := []rune(alphabets[random.IntN(len(alphabets))])
		text := make([]rune, random.IntN(30))
		for i := range text {
			text[i] = alphabet[0]
			if random.IntN(8) == 0 {
				text[i] = alphabet[random.IntN(len(alphabet))]
			}
		}
		texts[id] = string(text)
		fmt.Fprintf(&file, "\n%d,\"%s\"", id, strings.ReplaceAll(texts[id], `"`, `""`))
	}
	for id, documents := range render(t, spec, func(string) io.Reader { return strings.NewReader(file.String()) }) {
		var got string
		if err := stdjson.Unmarshal([]byte(documents["text"]), &got); err != nil || got != texts[id] {
			t.Errorf("%q was rendered as %s and decoded as %q (%v)", texts[id], documents["text"], got, err)
		}
		delete(texts, id)
	}
	if len(texts) > 0 {
		t.Errorf("%d texts are missing", len(texts))
	}
}

// books has features that products lacks: four levels, null in every type, a document that is a single value.
const books = `
collection: books
sources:
  book:    {file: book.csv, key: id, columns: {id: int, title: text?, price: money?, sold: flag?, pages: int?}}
  part:    {file: part.csv, key: id, parent: book, on: book, columns: {id: int, book: int, name: text}}
  chapter: {file: chapter.csv, key: id, parent: part, on: part, columns: {id: int, part: int, name: text}}
  note:    {file: note.csv, key: id, parent: chapter, on: chapter, columns: {id: int, chapter: int, name: text}}
dialect: {null: "null"}
documents:
  list:  {list: true, body: {id: id, title: title}}
  whole:
    path: ""
    body:
      id: {text: id}
      pages: {text: pages}
      price: price
      sold: sold
      parts: {each: part, keyed: id, as: {name: name, chapters: {each: chapter, as: {name: name, notes: {each: note, as: name, empty: null}}}}}
  title: {path: title, body: title}
`

func TestGolden(t *testing.T) {
	spec, err := shape.Parse("books.yaml", []byte(books))
	if err != nil {
		t.Fatal(err)
	}
	files := map[string]string{
		"book.csv": "id,title,price,sold,pages\n1,\"A \"\"quoted\"\" \\ title\tand more\",0.5,1,300\n2,null,null,null,null\n" +
			"3,\"naïve 日本 🙂 \u2028 <&>\",-0.05,0,-7\n",
		"part.csv":    "id,book,name\n20,1,second\n10,1,first\n30,3,only\n",
		"chapter.csv": "id,part,name\n1,10,a\n2,10,b\n3,20,c\n",
		"note.csv":    "id,chapter,name\n1,2,x\n2,2,y\n",
	}
	texts := render(t, spec, func(file string) io.Reader { return strings.NewReader(files[file]) })
	var got strings.Builder
	for id := int64(1); id <= 3; id++ {
		for _, d := range spec.Endpoints {
			text := texts[id][d.Name]
			if !json.Valid([]byte(text)) {
				t.Errorf("%s of %d is not JSON: %s", d.Name, id, text)
			}
			got.WriteString(text + "\n")
		}
	}
	golden := filepath.Join("testdata", "books.ndjson")
	if *update {
		if err := os.WriteFile(golden, []byte(got.String()), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(golden)
	if err != nil {
		t.Fatal(err)
	}
	if got.String() != string(want) {
		t.Errorf("rendered\n%s\nwant (go test -update rewrites it)\n%s", got.String(), want)
	}
}

// FuzzAppendString compares appendString with two decoders and an encoder. The seeds reach all statements that the fuzzer has reached.
func FuzzAppendString(f *testing.F) {
	for _, seed := range []string{"", "plain ASCII text of some length", `"`, `\`, "\x01\x1f\n\r\t", "12345678\"", "1234567\"8", "é日🙂\u2028", "\x7f", "a\\b\"c\nd"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, text string) {
		if !utf8.ValidString(text) || strings.Contains(text, "\x00") {
			return // the scanner rejects it
		}
		got := appendString([]byte("x"), []byte(text))
		var std, goccy string
		if err := stdjson.Unmarshal(got[1:], &std); err != nil || std != text {
			t.Fatalf("encoding/json decodes %q as %q (%v) from %s", text, std, err, got[1:])
		}
		if err := json.Unmarshal(got[1:], &goccy); err != nil || goccy != text {
			t.Fatalf("goccy/go-json decodes %q as %q (%v) from %s", text, goccy, err, got[1:])
		}
		// Only the characters that must be escaped may be.
		if want, err := json.MarshalWithOption(text, json.DisableHTMLEscape()); err == nil &&
			!strings.ContainsAny(text, "\u2028\u2029\b\f\x7f") && !bytes.Equal(got[1:], want) {
			t.Fatalf("appendString(%q) = %s, want %s", text, got[1:], want)
		}
	})
}

func TestAppendAllocatesNothing(t *testing.T) {
	spec, err := shape.Parse(shapes.ProductsName, shapes.Products)
	if err != nil {
		t.Fatal(err)
	}
	tree := firstTree(t, spec)
	for i := range spec.Endpoints {
		renderer := New(spec, &spec.Endpoints[i])
		dst := make([]byte, 0, 64<<10)
		if n := testing.AllocsPerRun(100, func() { dst = renderer.Append(dst[:0], tree) }); n != 0 {
			t.Errorf("%s: %v allocations, want 0", spec.Endpoints[i].Name, n)
		}
	}
}

func firstTree(t testing.TB, spec *shape.Shape) *join.Tree {
	t.Helper()
	readers := make([]*source.Reader, len(spec.Sources))
	for i := range spec.Sources {
		file, err := os.Open(filepath.Join("..", "..", "testdata", "v1", spec.Sources[i].File))
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = file.Close() })
		if readers[i], err = source.NewReader(file, &spec.Sources[i], &spec.Dialect, noRejects{t}, source.Options{}); err != nil {
			t.Fatal(err)
		}
	}
	joiner, err := join.New(spec.Sources, readers, join.Options{})
	if err != nil {
		t.Fatal(err)
	}
	tree, err := joiner.Next()
	if err != nil {
		t.Fatal(err)
	}
	return tree
}

func BenchmarkAppend(b *testing.B) {
	spec, err := shape.Parse(shapes.ProductsName, shapes.Products)
	if err != nil {
		b.Fatal(err)
	}
	tree := firstTree(b, spec)
	for i := range spec.Endpoints {
		renderer := New(spec, &spec.Endpoints[i])
		b.Run(spec.Endpoints[i].Name, func(b *testing.B) {
			var dst []byte
			b.ReportAllocs()
			for b.Loop() {
				dst = renderer.Append(dst[:0], tree)
			}
			if !json.Valid(dst) {
				b.Fatalf("%s is no JSON", dst)
			}
			b.SetBytes(int64(len(dst)))
		})
	}
}
