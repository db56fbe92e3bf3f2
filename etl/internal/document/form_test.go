package document

import (
	"bytes"
	"cmp"
	"io"
	"strings"
	"sync"
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
  c: {file: c.csv, key: id, parent: b, on: b, columns: {id: int, b: int, word: text?, n: int?, sum: money?, x: decimal?}}
  d: {file: d.csv, key: id, parent: a, on: id, one_to_one: true, columns: {id: int, word: text?, list: text?}}
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
	"c.csv": "id,b,word,n,sum,x\n" +
		"1,14,p,4,0.01,0.1\n2,12,q,null,null,1e2\n3,12,r,-5,0.02,null\n4,11,p,100,0.03,.50\n5,31,p,3,3,-0.0\n",
	"d.csv": "id,word,list\n1,uno,\" -007|00 | 12|-0\"\n3,null,\n",
}

// formTrees calls use with the tree of every item of formFiles, and the renderer of the body.
func formTrees(t testing.TB, body string, use func(spec *shape.Shape, renderer *Renderer, tree *join.Tree)) {
	t.Helper()
	treesOf(t, formFiles, body, use)
}

// treesOf is formTrees for other files.
func treesOf(t testing.TB, files map[string]string, body string, use func(spec *shape.Shape, renderer *Renderer, tree *join.Tree)) {
	t.Helper()
	spec, err := shape.Parse("forms.yaml", []byte(strings.Replace(formShape, "BODY", body, 1)))
	if err != nil {
		t.Fatalf("%s: %v", body, err)
	}
	readers := make([]*source.Reader, len(spec.Sources))
	for i := range spec.Sources {
		input := strings.NewReader(files[spec.Sources[i].File])
		if readers[i], err = source.NewReader(input, &spec.Sources[i], &spec.Dialect, noRejects{t}, source.Options{}); err != nil {
			t.Fatal(err)
		}
	}
	joiner, err := join.New(spec.Sources, readers, join.Options{})
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
	`{constant: {a: [1.50, null, "x\"y"]}}`:                                       {`{"a":[1.50,null,"x\"y"]}`, `{"a":[1.50,null,"x\"y"]}`, `{"a":[1.50,null,"x\"y"]}`},
	`[n, {text: n}, sum, {constant: null}]`:                                       {`[7,"7","12.50",null]`, `[null,null,null,null]`, `[-3,"-3","-0.05",null]`},
	`[[n], {m: n}]`:                                                               {`[[7],{"m":7}]`, `[[null],{"m":null}]`, `[[-3],{"m":-3}]`},
	`{array: [n, word, [sum]], nulls: drop}`:                                      {`[7,"say \"hi\"",["12.50"]]`, `[[null]]`, `[-3,"",["-0.05"]]`},
	`{array: [more, {constant: null}], nulls: drop}`:                              {`["over \\ there"]`, `[]`, `["b"]`},
	`{array: [n, sum], nulls: keep}`:                                              {`[7,"12.50"]`, `[null,null]`, `[-3,"-0.05"]`},
	`{join: [word, more], with: " "}`:                                             {`"say \"hi\" over \\ there"`, `null`, `" b"`},
	`{join: [n, {constant: "\"\n"}, sum, yes], with: /}`:                          {`"7/\"\n/12.50/true"`, `null`, `"-3/\"\n/-0.05/false"`},
	`{split: more, at: e}`:                                                        {`["ov","r \\ th","r",""]`, `[]`, `["b"]`},
	`{one: d, as: {split: list, at: " "}}`:                                        {`["-007|00","|","12|-0"]`, `null`, `[]`},
	`{split: word, at: "\""}`:                                                     {`["say","hi",""]`, `[]`, `[]`},
	`{each: b, limit: 2, as: id}`:                                                 {`[14,12]`, `[]`, `[31]`},
	`{each: b, order: n, as: id}`:                                                 {`[12,13,14,11]`, `[]`, `[31]`},
	`{each: b, order: [n desc], as: id}`:                                          {`[11,14,12,13]`, `[]`, `[31]`},
	`{each: b, order: [n, id desc], limit: 2, as: id}`:                            {`[13,12]`, `[]`, `[31]`},
	`{each: b, order: sum, as: sum, empty: {none: 1}}`:                            {`["0.10","5.00","12.25",null]`, `{"none":1}`, `["1.00"]`},
	`{each: b, order: [yes desc, word], as: word}`:                                {`["one","four","three","two"]`, `[]`, `["x"]`},
	`{each: b, keyed: id, order: word, limit: 1, as: [word]}`:                     {`{"14":["four"]}`, `{}`, `{"31":["x"]}`},
	`{each: b, as: [id, {each: c, order: n desc, as: n}]}`:                        {`[[14,[4]],[12,[null,-5]],[11,[100]],[13,[]]]`, `[]`, `[[31,[3]]]`},
	`{each: b, order: id, as: {each: c, order: n, as: n}}`:                        {`[[100],[-5,null],[],[4]]`, `[]`, `[[3]]`},
	`{one: b, as: {i: id, w: word}}`:                                              {`{"i":14,"w":"four"}`, `null`, `{"i":31,"w":"x"}`},
	`{one: b, order: [n desc, id], as: id, empty: 0}`:                             {`11`, `0`, `31`},
	`{one: b, order: n, as: {one: c, order: n, as: n}}`:                           {`-5`, `null`, `3`},
	`{array: [{one: b, order: sum desc, as: sum}, id], nulls: drop}`:              {`[1]`, `[2]`, `["1.00",3]`},
	`{one: d, as: word}`:                                                          {`"uno"`, `null`, `null`},
	`{one: d, as: {list: {split: list, at: "|", as: int}}, empty: {}}`:            {`{"list":[-7,0,12,0]}`, `{}`, `{"list":[]}`},
	`{each: b, where: {n: 9}, as: id}`:                                            {`[12,13]`, `[]`, `[]`},
	`{each: b, where: {n: {not: [9, null]}, yes: true}, as: id, empty: no}`:       {`[14]`, `"no"`, `[31]`},
	`{each: b, where: {word: {not: [one, three]}}, order: n, limit: 2, as: word}`: {`["two","four"]`, `[]`, `["x"]`},
	`{each: b, keyed: id, where: {sum: null}, as: {constant: 1}}`:                 {`{"13":1}`, `{}`, `{}`},
	`{one: b, where: {n: {below: 10}}, as: word}`:                                 {`"two"`, `null`, `"x"`},
	`{one: b, where: {n: {below: 10}}, order: id desc, as: word}`:                 {`"three"`, `null`, `"x"`},
	`{one: d, where: {word: {not: null}}, as: word, empty: none}`:                 {`"uno"`, `"none"`, `"none"`},

	`{count: b}`:                                                {`4`, `0`, `1`},
	`{text: {count: b.c}}`:                                      {`"4"`, `"0"`, `"1"`},
	`{count: b.c, where: {word: p}}`:                            {`2`, `0`, `1`},
	`{each: b, as: {count: c}}`:                                 {`[1,2,1,0]`, `[]`, `[1]`},
	`{sum: n, of: b}`:                                           {`28`, `0`, `1`},
	`{sum: sum, of: b}`:                                         {`"17.35"`, `"0.00"`, `"1.00"`},
	`{sum: sum, of: b, round: 0}`:                               {`"17"`, `"0"`, `"1"`},
	`{sum: n, of: b.c, where: {n: {above: 0}}}`:                 {`104`, `0`, `3`},
	`{min: n, of: b.c}`:                                         {`-5`, `null`, `3`},
	`{max: n, of: b.c}`:                                         {`100`, `null`, `3`},
	`{text: {min: n, of: b}}`:                                   {`"9"`, `null`, `"1"`},
	`{min: sum, of: b}`:                                         {`"0.10"`, `null`, `"1.00"`},
	`{max: sum, of: b, round: 1}`:                               {`"12.2"`, `null`, `"1.0"`},
	`[{min: word, of: b}, {max: word, of: b}]`:                  {`["four","two"]`, `[null,null]`, `["x","x"]`},
	`{average: n, of: b}`:                                       {`9.33`, `null`, `1.00`},
	`{average: n, of: b.c, round: 0}`:                           {`33`, `null`, `3`},
	`{text: {average: n, of: b, round: 5}}`:                     {`"9.33333"`, `null`, `"1.00000"`},
	`{average: sum, of: b}`:                                     {`"5.78"`, `null`, `"1.00"`},
	`{counts: n, of: b}`:                                        {`{"9":2,"10":1}`, `{}`, `{"1":1}`},
	`{counts: word, of: b.c}`:                                   {`{"p":2,"q":1,"r":1}`, `{}`, `{"p":1}`},
	`{counts: yes, of: b, where: {id: {not: 13}}}`:              {`{"false":1,"true":1}`, `{}`, `{"true":1}`},
	`{each: b, order: id, as: {counts: n, of: c}}`:              {`[{"100":1},{"-5":1},{},{"4":1}]`, `[]`, `[{"3":1}]`},
	`{sum: x, of: b.c}`:                                         {`100.60`, `0`, `0.0`},
	`{average: x, of: b.c}`:                                     {`33.53`, `null`, `0.00`},
	`{text: {average: x, of: b.c, round: 15}}`:                  {`"33.533333333333333"`, `null`, `"0.000000000000000"`},
	`{min: x, of: b.c}`:                                         {`0.1`, `null`, `0.0`},
	`{max: x, of: b.c}`:                                         {`1e2`, `null`, `0.0`},
	`{text: {max: x, of: b.c, round: 1}}`:                       {`"100.0"`, `null`, `"0.0"`},
	`{each: b, order: id, as: {each: c, order: x desc, as: x}}`: {`[[0.50],[null,1e2],[],[0.1]]`, `[]`, `[[0.0]]`},
	`{count: b.c, where: {x: {above: 0.3}}}`:                    {`2`, `0`, `0`},
	`{sum: n, of: b, where: {yes: false}}`:                      {`9`, `0`, `0`},
	`{min: n, of: b, where: {n: {not: 9}}}`:                     {`10`, `null`, `1`},
	`{max: sum, of: b, where: {n: 9}}`:                          {`"12.25"`, `null`, `null`},
	`{each: b, as: [{min: n, of: c}, {max: x, of: c}, {sum: sum, of: c}]}`: {
		`[[4,0.1,"0.01"],[-5,1e2,"0.02"],[100,0.50,"0.03"],[null,null,"0.00"]]`, `[]`, `[[3,0.0,"3.00"]]`,
	},
	`[{sum: n, of: b}, {min: n, of: b}, {max: n, of: b}, {average: n, of: b}, {sum: n, of: b, where: {n: 9}}]`: {
		`[28,9,10,9.33,18]`, `[0,null,null,null,0]`, `[1,1,1,1.00,0]`,
	},
	`{each: b, order: id, as: [{min: n, of: c}, {text: {max: n, of: c}}, {sum: n, of: c}]}`: {
		`[[100,"100",100],[-5,"-5",-5],[null,null,0],[4,"4",4]]`, `[]`, `[[3,"3",3]]`,
	},
	`[{max: sum, of: b.c}, {sum: sum, of: b.c}, {min: sum, of: b.c, round: 1}]`: {
		`["0.03","0.06","0.0"]`, `[null,"0.00",null]`, `["3.00","3.00","3.0"]`,
	},
	`{average: {average: n, of: b}, count: n}`: {`{"average":9.33,"count":7}`, `{"average":null,"count":null}`, `{"average":1.00,"count":-3}`},
	`{join: [{constant: "#"}, id]}`:            {`"#1"`, `"#2"`, `"#3"`},
}

// TestCompareFixed compares ints and amounts.
func TestCompareFixed(t *testing.T) {
	for _, ascending := range [][]string{
		{"-9223372036854775808", "-100", "-99", "-1", "0", "1", "9", "10", "9223372036854775807"},
		{"-10.00", "-9.99", "-0.05", "-0.01", "0.00", "0.04", "1.00", "10.00"},
	} {
		for i, a := range ascending {
			for j, b := range ascending {
				if got := compareFixed([]byte(a), []byte(b)); got != cmp.Compare(i, j) {
					t.Errorf("compareFixed(%s, %s) = %d", a, b, got)
				}
			}
		}
	}
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

// TestAppendConcurrently renders with one Renderer in several goroutines.
func TestAppendConcurrently(t *testing.T) {
	const body = "{each: b, order: [n, id], as: [word, {each: c, order: n desc, as: n}, {counts: n, of: c}]}"
	formTrees(t, body, func(_ *shape.Shape, renderer *Renderer, tree *join.Tree) {
		want := string(renderer.Append(nil, tree))
		var group sync.WaitGroup
		for range 4 {
			group.Go(func() {
				for range 200 {
					if got := renderer.Append(nil, tree); string(got) != want {
						t.Errorf("rendered %s, want %s", got, want)
						return
					}
				}
			})
		}
		group.Wait()
	})
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
			if _, size := gauge.Grow(tree); size > int64(len(document)) {
				t.Errorf("%s: a lower bound of %d bytes for %s", body, size, document)
			}
		})
	}
}
