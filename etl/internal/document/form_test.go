package document

import (
	"bytes"
	"io"
	"strings"
	"testing"

	"systemscale/etl/internal/join"
	"systemscale/etl/internal/shape"
	"systemscale/etl/internal/source"
)

// formShape has a root and children of two levels. BODY is the body of its only document.
const formShape = `
collection: forms
dialect: {null: "null"}
sources:
  a: {file: a.csv, key: id, columns: {id: int, word: text?, more: text?, sum: money?, yes: flag?, n: int?}}
  b: {file: b.csv, key: id, parent: a, on: a, columns: {id: int, a: int, word: text?, n: int?, sum: money?, yes: flag?}}
  c: {file: c.csv, key: id, parent: b, on: b, columns: {id: int, b: int, word: text?, n: int?, sum: money?}}
documents:
  only: {path: "", body: BODY}
`

// formFiles are rows for formShape. b has the rows of item 1 in the order of neither their keys nor their numbers.
var formFiles = map[string]string{
	"a.csv": "id,word,more,sum,yes,n\n" +
		`1,"say ""hi""",over \ there,12.5,1,7` + "\n" +
		"2,null,null,null,null,null\n" +
		`3,"",b,-0.05,0,-3` + "\n",
	"b.csv": "id,a,word,n,sum,yes\n" +
		"14,1,four,10,5,1\n12,1,two,9,12.25,0\n11,1,one,null,0.10,null\n13,1,three,9,null,1\n31,3,x,1,1,1\n",
	"c.csv": "id,b,word,n,sum\n" +
		"1,14,p,4,0.01\n2,12,q,null,null\n3,12,r,-5,0.02\n4,11,p,100,0.03\n5,31,p,3,3\n",
}

// formTrees calls use with the tree of every item of formFiles, and the renderer of the body.
func formTrees(t testing.TB, body string, use func(spec *shape.Shape, renderer *Renderer, tree *join.Tree)) {
	t.Helper()
	spec, err := shape.Parse("forms.yaml", []byte(strings.Replace(formShape, "BODY", body, 1)))
	if err != nil {
		t.Fatalf("%s: %v", body, err)
	}
	readers := make([]*source.Reader, len(spec.Sources))
	for i := range spec.Sources {
		input := strings.NewReader(formFiles[spec.Sources[i].File])
		if readers[i], err = source.NewReader(input, &spec.Sources[i], &spec.Dialect, noRejects{t}, source.Options{}); err != nil {
			t.Fatal(err)
		}
	}
	joiner, err := join.New(spec.Sources, readers)
	if err != nil {
		t.Fatal(err)
	}
	renderer := New(spec, &spec.Endpoints[0])
	for {
		tree, err := joiner.Next()
		if err == io.EOF {
			return
		}
		if err != nil {
			t.Fatal(err)
		}
		use(spec, renderer, tree)
	}
}

// forms are bodies with the documents of the three items of formFiles.
var forms = map[string][3]string{
	`{constant: {a: [1.50, null, "x\"y"]}}`:              {`{"a":[1.50,null,"x\"y"]}`, `{"a":[1.50,null,"x\"y"]}`, `{"a":[1.50,null,"x\"y"]}`},
	`[n, {text: n}, sum, {constant: null}]`:              {`[7,"7","12.50",null]`, `[null,null,null,null]`, `[-3,"-3","-0.05",null]`},
	`[[n], {m: n}]`:                                      {`[[7],{"m":7}]`, `[[null],{"m":null}]`, `[[-3],{"m":-3}]`},
	`{array: [n, word, [sum]], nulls: drop}`:             {`[7,"say \"hi\"",["12.50"]]`, `[[null]]`, `[-3,"",["-0.05"]]`},
	`{array: [more, {constant: null}], nulls: drop}`:     {`["over \\ there"]`, `[]`, `["b"]`},
	`{array: [n, sum], nulls: keep}`:                     {`[7,"12.50"]`, `[null,null]`, `[-3,"-0.05"]`},
	`{join: [word, more], with: " "}`:                    {`"say \"hi\" over \\ there"`, `null`, `" b"`},
	`{join: [n, {constant: "\"\n"}, sum, yes], with: /}`: {`"7/\"\n/12.50/true"`, `null`, `"-3/\"\n/-0.05/false"`},
	`{join: [{constant: "#"}, id]}`:                      {`"#1"`, `"#2"`, `"#3"`},
}

// TestForms renders each body, twice: with room in the destination, and without.
func TestForms(t *testing.T) {
	for body, want := range forms {
		item := 0
		formTrees(t, body, func(_ *shape.Shape, renderer *Renderer, tree *join.Tree) {
			got := renderer.Append(nil, tree)
			if string(got) != want[item] {
				t.Errorf("%s of item %d:\ngot  %s\nwant %s", body, item+1, got, want[item])
			}
			if again := renderer.Append(make([]byte, 0, 64<<10), tree); !bytes.Equal(got, again) {
				t.Errorf("%s of item %d is %s in a long buffer, want %s", body, item+1, again, got)
			}
			item++
		})
	}
}

// TestFormsAllocateNothing renders each body into a large destination.
func TestFormsAllocateNothing(t *testing.T) {
	for body := range forms {
		formTrees(t, body, func(_ *shape.Shape, renderer *Renderer, tree *join.Tree) {
			dst := make([]byte, 0, 64<<10)
			if n := testing.AllocsPerRun(10, func() { dst = renderer.Append(dst[:0], tree) }); n != 0 {
				t.Errorf("%s: %v allocations, want 0", body, n)
			}
		})
	}
}

// TestGaugeOfForms compares the lower bound of each body with the document.
func TestGaugeOfForms(t *testing.T) {
	for body := range forms {
		var gauge *Gauge
		formTrees(t, body, func(spec *shape.Shape, renderer *Renderer, tree *join.Tree) {
			if gauge == nil {
				gauge = NewGauge(spec)
			}
			document := renderer.Append(nil, tree)
			if _, size := gauge.Grow(tree); size > int64(len(document)) || size < 1 {
				t.Errorf("%s: a lower bound of %d bytes for %s", body, size, document)
			}
		})
	}
}
