package join

import (
	"cmp"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"systemscale/etl/internal/shape"
	"systemscale/etl/internal/source"
)

// spec is a tree of three levels: a has children b and e, b has children c and d.
const spec = `
collection: test
sources:
  a: {file: a.csv, key: id, columns: {id: int, text: text}}
  b: {file: b.csv, key: id, parent: a, on: a, columns: {id: int, a: int, text: text}}
  c: {file: c.csv, key: id, parent: b, on: b, columns: {id: int, b: int, text: text}}
  d: {file: d.csv, key: id, parent: b, on: b, columns: {id: int, b: int, text: text}}
  e: {file: e.csv, key: id, parent: a, on: a, columns: {id: int, a: int, text: text}}
documents:
  all:
    path: ""
    body:
      t: text
      b: {each: b, as: {t: text, c: {each: c, as: {t: text}}, d: {each: d, as: {t: text}}}}
      e: {each: e, as: {t: text}}
`

type sink struct{ lines []string }

func (s *sink) Reject(r source.Reject) error {
	s.lines = append(s.lines, fmt.Sprintf("%s:%d %s %s", r.File, r.Line, r.Column, r.Reason))
	return nil
}

// joinFiles joins the files of a shape, given without their headers, and returns every tree as text.
func joinFiles(t testing.TB, spec string, files map[string]string) (trees, rejects []string, err error) {
	t.Helper()
	return joinOnce(t, spec, files, Options{})
}

// joinOnce is joinFiles with options.
func joinOnce(t testing.TB, spec string, files map[string]string, options Options) (trees, rejects []string, err error) {
	t.Helper()
	parsed, err := shape.Parse("test.yaml", []byte(spec))
	if err != nil {
		t.Fatal(err)
	}
	log := &sink{}
	readers := make([]*source.Reader, len(parsed.Sources))
	for i := range parsed.Sources {
		s := &parsed.Sources[i]
		header := "id,text\n"
		if s.Parent >= 0 {
			header = "id," + s.Names(s.ParentKey) + ",text\n"
		}
		input := strings.NewReader(header + files[s.Name])
		if readers[i], err = source.NewReader(input, s, &parsed.Dialect, log, source.Options{}); err != nil {
			t.Fatal(err)
		}
	}
	joiner, err := New(parsed.Sources, readers, options)
	if err != nil {
		return nil, log.lines, err
	}
	defer joiner.Close()
	for {
		tree, err := joiner.Next()
		if err == io.EOF {
			for _, counts := range joiner.Counts() {
				if n := counts.Unreconciled(); n != 0 {
					t.Errorf("%s: %d rows are unreconciled", counts.File, n)
				}
			}
			return trees, log.lines, nil
		}
		if err != nil {
			return trees, log.lines, err
		}
		trees = append(trees, show(parsed.Sources, tree, 0, 0))
	}
}

// show writes a row as text(children of its first child source; children of the next), so a tree is one line.
func show(sources []shape.Source, tree *Tree, of int, row int32) string {
	rows := tree.Rows(of)
	text := string(rows.Text(&rows.Row(row)[0]))
	var groups []string
	for slot, child := range sources[of].Children {
		var rows []string
		children := tree.Children(of, row, slot)
		for place := children.Begin; place < children.End; place++ {
			rows = append(rows, show(sources, tree, child, tree.At(child, place)))
		}
		groups = append(groups, strings.Join(rows, " "))
	}
	if len(groups) == 0 {
		return text
	}
	return text + "(" + strings.Join(groups, ";") + ")"
}

func TestNext(t *testing.T) {
	cases := []struct {
		name    string
		files   map[string]string
		trees   string
		rejects string
	}{
		{"nothing", nil, "", ""},
		{"a root without children", map[string]string{"a": "1,x\n3,y\n"}, "x(;) y(;)", ""},
		{
			"three levels",
			map[string]string{
				"a": "1,x\n2,y\n", "b": "1,1,p\n2,1,q\n3,2,r\n", "c": "1,1,c1\n2,1,c2\n3,3,c3\n", "d": "1,2,d1\n",
				"e": "1,2,e1\n2,2,e2\n",
			},
			"x(p(c1 c2;) q(;d1);) y(r(c3;);e1 e2)", "",
		},
		{
			"ids go backwards within an item, and rows keep the file's order",
			map[string]string{"a": "1,x\n2,y\n", "b": "8,1,b8\n7,1,b7\n9,2,b9\n", "c": "5,7,c5\n4,7,c4\n6,8,c6\n7,9,c7\n"},
			"x(b8(c6;) b7(c5 c4;);) y(b9(c7;);)", "",
		},
		{
			"children in the order of their parents, whose ids descend",
			map[string]string{"a": "1,x\n", "b": "8,1,b8\n7,1,b7\n", "c": "1,8,c1\n2,7,c2\n3,8,c3\n"},
			"x(b8(c1 c3;) b7(c2;);)", "",
		},
		{
			"orphans: before, between and after the others",
			map[string]string{"a": "2,x\n4,y\n", "b": "1,1,o1\n2,2,p\n3,3,o2\n4,4,q\n5,5,o3\n", "c": "1,1,o4\n2,2,c\n3,3,o5\n4,9,o6\n"},
			"x(p(c;);) y(q(;);)",
			"b.csv:2 a orphan,c.csv:2 b orphan,b.csv:4 a orphan,c.csv:4 b orphan,b.csv:6 a orphan,c.csv:5 b orphan",
		},
		{
			"an orphan between the children of one item",
			map[string]string{"a": "1,x\n", "b": "1,1,p\n5,1,q\n", "c": "1,1,c1\n2,3,o\n3,5,c2\n"},
			"x(p(c1;) q(c2;);)", "c.csv:3 b orphan",
		},
		{
			"children of an item that has no row at the level between",
			map[string]string{"a": "1,x\n2,y\n", "b": "3,2,p\n", "c": "1,1,o\n2,3,c\n"},
			"x(;) y(p(c;);)", "c.csv:2 b orphan",
		},
		{
			"repeated keys",
			map[string]string{
				"a": "1,x\n1,again\n2,y\n", "b": "1,1,p\n1,1,twice\n4,2,q\n3,2,r\n4,2,twice\n5,2,s\n3,2,twice\n5,2,twice\n",
				"e": "1,1,e\n1,1,twice\n2,2,other\n",
			},
			"x(p(;);e) y(q(;) r(;) s(;);other)",
			"b.csv:3 id duplicate key,e.csv:3 id duplicate key,a.csv:3 id duplicate key,b.csv:6 id duplicate key,b.csv:8 id " +
				"duplicate key,b.csv:9 id duplicate key",
		},
		{
			"keys that are repeated in another item",
			map[string]string{"a": "1,x\n2,y\n", "b": "1,1,p\n1,2,twice\n", "e": "70000,1,e\n1,2,f\n70000,2,twice\n-5,2,g\n"},
			"x(p(;);e) y(;f g)", "b.csv:3 id duplicate key,e.csv:4 id duplicate key",
		},
		{
			"keys that are zero, negative and at the limits",
			map[string]string{
				"a": "-9223372036854775808,l\n-1,m\n0,x\n1,y\n9223372036854775807,h\n", "b": "0,-1,b0\n2,0,b2\n",
				"c": "-1,0,c\n0,2,d\n", "e": "-7,-9223372036854775808,e\n1,0,f\n0,9223372036854775807,g\n",
			},
			"l(;e) m(b0(c;);) x(b2(d;);f) y(;) h(;g)", "",
		},
		{
			"a rejected parent among permuted ones",
			map[string]string{"a": "1,x\n", "b": "58,1,p\nbad,1,q\n56,1,r\n", "c": "1,58,c1\n2,57,o\n3,56,c3\n"},
			"x(p(c1;) r(c3;);)", "b.csv:3 id not an int,c.csv:3 b orphan",
		},
		{
			"orphans in any order after the last item",
			map[string]string{"a": "1,x\n", "b": "1,1,p\n2,9,o\n3,8,o\n"},
			"x(p(;);)",
			"b.csv:3 a orphan,b.csv:4 a orphan",
		},
		{"only orphans", map[string]string{"b": "1,1,o\n", "c": "1,1,o\n"}, "", "b.csv:2 a orphan,c.csv:2 b orphan"},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			trees, rejects, err := joinFiles(t, spec, c.files)
			if err != nil {
				t.Fatal(err)
			}
			if got := strings.Join(trees, " "); got != c.trees {
				t.Errorf("trees %q, want %q", got, c.trees)
			}
			if got := strings.Join(rejects, ","); got != c.rejects {
				t.Errorf("rejects %q, want %q", got, c.rejects)
			}
		})
	}
}

func TestNextStopsAtAFileOutOfOrder(t *testing.T) {
	cases := []struct {
		name  string
		files map[string]string
		want  string
	}{
		{"the root", map[string]string{"a": "1,x\n3,y\n2,z\n"}, "a.csv:4: id 2 comes after id 3"},
		{"a child", map[string]string{"a": "1,x\n2,y\n", "b": "1,2,p\n2,1,q\n"}, "b.csv:3: a 1 comes after a 2"},
		{
			"a grandchild",
			map[string]string{"a": "1,x\n2,y\n", "b": "1,1,p\n2,2,q\n", "c": "1,2,c\n2,1,d\n"},
			"c.csv:3: b 1 comes after b 2",
		},
		// The children of b 5 would have to come before those of b 9, whose item comes first.
		{
			"a parent whose keys descend from item to item",
			map[string]string{"a": "1,x\n2,y\n", "b": "9,1,p\n5,2,q\n"},
			"b.csv:3: id 5 comes after id 9",
		},
		{"after the last item", map[string]string{"a": "1,x\n5,y\n", "b": "1,9,p\n2,1,q\n"}, "b.csv:3: a 1 comes after a 9"},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			_, _, err := joinFiles(t, spec, c.files)
			var mistake *source.FileError
			if !errors.As(err, &mistake) || !strings.Contains(err.Error(), c.want) {
				t.Errorf("joined with %v, want a FileError with %q", err, c.want)
			}
		})
	}
}

// TestNextAgainstNestedLoops compares the merge join with a nested loop join, on random files.
func TestNextAgainstNestedLoops(t *testing.T) {
	random := rand.New(rand.NewPCG(1, 2))
	for round := range 300 {
		rows := randomRows(random)
		files := filesOf(rows)
		trees, rejects, err := joinFiles(t, spec, files)
		if err != nil {
			t.Fatalf("round %d: %v\n%v", round, err, files)
		}
		if len(rejects) > 0 {
			t.Fatalf("round %d: rejects %v of files without any fault", round, rejects)
		}
		var want []string
		for _, a := range rows["a"] {
			var bs, es []string
			for _, b := range rows["b"] {
				if b.on == a.key {
					cs, ds := texts(rows["c"], b.key), texts(rows["d"], b.key)
					bs = append(bs, b.text+"("+strings.Join(cs, " ")+";"+strings.Join(ds, " ")+")")
				}
			}
			es = texts(rows["e"], a.key)
			want = append(want, a.text+"("+strings.Join(bs, " ")+";"+strings.Join(es, " ")+")")
		}
		if !slices.Equal(trees, want) {
			t.Fatalf("round %d: trees\n%s\nwant\n%s", round, strings.Join(trees, "\n"), strings.Join(want, "\n"))
		}
	}
}

type row struct {
	key, on int64
	text    string
}

// filesOf writes rows as the texts of files, without headers. a is the root.
func filesOf(rows map[string][]row) map[string]string {
	files := map[string]string{}
	for name, list := range rows {
		for _, r := range list {
			if name == "a" {
				files[name] += fmt.Sprintf("%d,%s\n", r.key, r.text)
			} else {
				files[name] += fmt.Sprintf("%d,%d,%s\n", r.key, r.on, r.text)
			}
		}
	}
	return files
}

func texts(rows []row, on int64) []string {
	var found []string
	for _, r := range rows {
		if r.on == on {
			found = append(found, r.text)
		}
	}
	return found
}

// randomRows returns files in the order of a dump: parents ascend, and the keys of one parent are in any order.
func randomRows(random *rand.Rand) map[string][]row {
	rows := map[string][]row{}
	key := int64(0)
	for range random.IntN(12) {
		key += 1 + random.Int64N(3)
		rows["a"] = append(rows["a"], row{key: key, text: fmt.Sprintf("a%d", key)})
	}
	children := func(of, name string, most int) {
		parents := slices.Clone(rows[of])
		slices.SortStableFunc(parents, func(a, b row) int { return cmp.Compare(a.key, b.key) })
		next := int64(0)
		for _, p := range parents {
			n := random.IntN(most + 1)
			for _, at := range random.Perm(n) {
				k := next + int64(at) + 1
				rows[name] = append(rows[name], row{key: k, on: p.key, text: fmt.Sprintf("%s%d", name, k)})
			}
			next += int64(n)
		}
	}
	children("a", "b", 4)
	children("b", "c", 3)
	children("b", "d", 1)
	children("a", "e", 2)
	return rows
}
