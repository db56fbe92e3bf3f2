package dump

import (
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"runtime/debug"
	"slices"
	"strconv"
	"strings"
	"testing"

	"systemscale/etl/internal/join"
	"systemscale/etl/internal/shape"
	"systemscale/etl/internal/source"
	"systemscale/sql"
)

// keyed are shapes with keys of all kinds. The last column of every source identifies a row in the result.
var keyed = []string{
	`
collection: texts
sources:
  a: {file: a.csv, key: k, columns: {k: text, t: text}}
  b: {file: b.csv, key: k, parent: a, on: a, columns: {k: text, a: text, t: text}}
  c: {file: c.csv, key: [b, n], parent: b, on: b, columns: {b: text, n: int, t: text}}
  d: {file: d.csv, parent: a, on: a, columns: {a: text?, t: text}}
documents: {all: {path: "", body: t}}
`, `
collection: pairs
sources:
  a: {file: a.csv, key: k, columns: {k: int, t: text}}
  b: {file: b.csv, key: [a, n], parent: a, on: a, columns: {a: int, n: text, t: text}}
  c: {file: c.csv, key: k, parent: b, on: [x, y], columns: {k: int, x: int, y: text, t: text}}
  d: {file: d.csv, key: [y, x], parent: c, on: z, columns: {x: int, y: text, z: int, t: text}}
documents: {all: {path: "", body: t}}
`, `
collection: ids
sources:
  a: {file: a.csv, key: [k, l], columns: {k: int, l: text, v: text?, t: text}}
  b: {file: b.csv, key: n, parent: a, on: [x, y], columns: {n: int, x: int, y: text, w: int, t: text}}
  c: {file: c.csv, parent: a, on: {value: v}, columns: {value: text?, t: text}}
  d: {file: d.csv, key: n, parent: b, on: {of: w}, columns: {n: text, of: int, t: text}}
documents: {all: {path: "", body: t}}
`,
}

// table holds the rows of the files of a shape, by source.
type table [][][]string

// randomTable returns files in which some rows have no parent, or one that does not exist, and some are there twice.
func randomTable(random *rand.Rand, spec *shape.Shape) table {
	rows := make(table, len(spec.Sources))
	for i := range spec.Sources {
		s := &spec.Sources[i]
		used := map[string]bool{}
		for n := range random.IntN(7) {
			row := make([]string, len(s.Columns))
			for at, column := range s.Columns {
				row[at] = randomKey(random, column.Type, column.Nullable)
			}
			if s.Parent >= 0 && len(rows[s.Parent]) > 0 && random.IntN(8) > 0 {
				parent := rows[s.Parent][random.IntN(len(rows[s.Parent]))]
				for at, column := range parentColumns(spec, i) {
					if parent[column] != "" || s.Columns[s.ParentKey[at]].Nullable {
						row[s.ParentKey[at]] = parent[column]
					}
				}
			}
			row[len(row)-1] = fmt.Sprintf("%s%d", s.Name, n)
			key := fmt.Sprint(valuesOf(row, s.Key))
			if len(s.Key) > 0 && used[key] {
				continue
			}
			used[key] = true
			rows[i] = append(rows[i], row)
			if random.IntN(8) == 0 && len(s.Key) > 0 {
				rows[i] = append(rows[i], slices.Clone(row))
			}
		}
	}
	return rows
}

func randomKey(random *rand.Rand, kind shape.Type, nullable bool) string {
	switch {
	case nullable && random.IntN(4) == 0:
		return ""
	case kind == shape.Int:
		return strconv.Itoa(random.IntN(24) - 8)
	}
	texts := [...]string{"a", "a/b", "b", "b%", "ab", "é", "longer than a prefix", "longer than a prefix too", "10", "9", "A", "a b"}
	return texts[random.IntN(len(texts))]
}

func parentColumns(spec *shape.Shape, i int) shape.Indices {
	if s := &spec.Sources[i]; !s.ByReference() {
		return spec.Sources[s.Parent].Key
	}
	return spec.Sources[i].ParentColumns
}

func valuesOf(row []string, columns shape.Indices) (values []string) {
	for _, column := range columns {
		values = append(values, row[column])
	}
	return values
}

// mapJoin joins rows with maps. It returns the trees in the order of their ids, and the number of rejects and rows without a parent.
func mapJoin(spec *shape.Shape, rows table) (trees []string, rejects []string, withoutParent int) {
	texts := make([]map[int]string, len(spec.Sources)) // of the used rows, with their children
	used := make([][]int, len(spec.Sources))
	parents := make([]map[int]int, len(spec.Sources))
	for i := range spec.Sources {
		s := &spec.Sources[i]
		texts[i], parents[i] = map[int]string{}, map[int]int{}
		keys := map[string]bool{}
		for n, row := range rows[i] {
			reason, parent := source.Reason(""), -1
			if on := valuesOf(row, s.ParentKey); slices.Contains(on, "") {
				withoutParent++
				continue
			} else if s.Parent >= 0 {
				reason, parent = findParent(spec, rows, used, i, on)
			}
			if key := fmt.Sprint(valuesOf(row, s.Key)); reason == "" && len(s.Key) > 0 {
				if keys[key] {
					reason = source.DuplicateKey
				}
				keys[key] = true
			}
			if reason != "" {
				rejects = append(rejects, fmt.Sprintf("%s:%d %s", s.File, n+2, reason))
				continue
			}
			used[i], parents[i][n] = append(used[i], n), parent
		}
	}
	for i := len(spec.Sources) - 1; i >= 0; i-- {
		for _, n := range used[i] {
			text := rows[i][n][len(rows[i][n])-1]
			for _, child := range spec.Sources[i].Children {
				text += "("
				for _, m := range used[child] {
					if parents[child][m] == n {
						text += texts[child][m]
					}
				}
				text += ")"
			}
			texts[i][n] = text
		}
	}
	root := &spec.Sources[0]
	idOf := func(n int) sql.ID {
		key := valuesOf(rows[0][n], root.Key)
		if root.KeyForm == shape.EncodedKeys {
			number, _ := strconv.ParseInt(key[0], 10, 64)
			return sql.IntID(number)
		}
		if len(key) == 1 {
			return sql.TextID(key[0])
		}
		return sql.TextID(sql.JoinID(key...))
	}
	slices.SortFunc(used[0], func(a, b int) int { return idOf(a).Compare(idOf(b)) })
	for _, n := range used[0] {
		trees = append(trees, idOf(n).String()+"="+texts[0][n])
	}
	return trees, rejects, withoutParent
}

// findParent returns the row of the parent, or the reason why there is none.
func findParent(spec *shape.Shape, rows table, used [][]int, i int, on []string) (source.Reason, int) {
	s := &spec.Sources[i]
	found := -1
	for _, n := range used[s.Parent] {
		if slices.Equal(valuesOf(rows[s.Parent][n], parentColumns(spec, i)), on) {
			if found >= 0 {
				return source.Ambiguous, -1
			}
			found = n
		}
	}
	if found < 0 {
		return source.Orphan, -1
	}
	return "", found
}

// sortTable puts rows in an order that the join can read, unless a source is joined by reference.
func sortTable(spec *shape.Shape, rows table) {
	for i := range spec.Sources {
		s := &spec.Sources[i]
		columns, form := s.ParentKey, s.ParentForm
		if s.Parent < 0 {
			columns, form = s.Key, s.KeyForm
		}
		encoded := func(row []string) string {
			var key []byte
			for at, column := range columns {
				key, _ = source.AppendKeyPart(key, s.Columns[column].Type, []byte(row[column]), form, at, len(columns))
			}
			return string(key)
		}
		slices.SortStableFunc(rows[i], func(a, b []string) int { return strings.Compare(encoded(a), encoded(b)) })
	}
}

// rejectLines collects rejects.
type rejectLines []string

func (l *rejectLines) Reject(r source.Reject) error {
	*l = append(*l, fmt.Sprintf("%s:%d %s", r.File, r.Line, r.Reason))
	return nil
}

// orderedJoin joins files in memory, and sorts them first if they need it.
func orderedJoin(t *testing.T, temp string, spec *shape.Shape, rows table) (trees, rejects []string, withoutParent int, sorts int) {
	t.Helper()
	o := &ordering{spec: spec, temp: temp}
	for i := range spec.Sources {
		var text strings.Builder
		for at, column := range spec.Sources[i].Columns {
			text.WriteString([]string{"", ","}[min(at, 1)] + column.Name)
		}
		text.WriteByte('\n')
		for _, row := range rows[i] {
			text.WriteString(strings.Join(row, ",") + "\n")
		}
		o.open = append(o.open, func() (io.ReadCloser, error) { return io.NopCloser(strings.NewReader(text.String())), nil })
	}
	orders := make([]order, len(spec.Sources))
	for ; ; sorts++ {
		log := &rejectLines{}
		trees, withoutParent = nil, 0
		joiner, err := o.joiner(t, orders, log)
		for err == nil {
			var tree *join.Tree
			if tree, err = joiner.Next(); err == nil {
				trees = append(trees, tree.ID().String()+"="+treeText(spec, tree, 0, 0))
			}
		}
		var disorder *join.Disorder
		switch {
		case errors.Is(err, io.EOF):
			for _, counts := range joiner.Counts() {
				withoutParent += int(counts.WithoutParent)
				if n := counts.Unreconciled(); n != 0 {
					t.Errorf("%s: %d rows are not reconciled", counts.File, n)
				}
			}
			return trees, *log, withoutParent, sorts
		case !errors.As(err, &disorder) || sorts > 0:
			t.Fatal(err)
		}
		if orders, err = o.examine(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
}

func (o *ordering) joiner(t *testing.T, orders []order, log source.Sink) (*join.Joiner, error) {
	t.Helper()
	readers := make([]*source.Reader, len(orders))
	for i := range readers {
		options := source.Options{}
		text, err := o.open[i]()
		if orders[i] != asIs {
			var sorted *sortedFile
			sorted, err = o.sort(t.Context(), i, orders[i])
			options.Origins, text = sorted, sorted
		}
		if err != nil {
			t.Fatal(err)
		}
		if readers[i], err = source.NewReader(text, &o.spec.Sources[i], o.spec.DialectOf(&o.spec.Sources[i]), log, options); err != nil {
			t.Fatal(err)
		}
	}
	return join.New(o.spec.Sources, readers, join.Options{})
}

func treeText(spec *shape.Shape, tree *join.Tree, of int, row int32) string {
	s, rows := &spec.Sources[of], tree.Rows(of)
	text := string(rows.Text(&rows.Row(row)[slices.Index(s.Rendered, len(s.Columns)-1)]))
	for slot, child := range s.Children {
		text += "("
		children := tree.Children(of, row, slot)
		for place := children.Begin; place < children.End; place++ {
			text += treeText(spec, tree, child, tree.At(child, place))
		}
		text += ")"
	}
	return text
}

// TestKeysAgainstMaps compares the join of files with keys of all kinds, in order and shuffled, with a join by maps.
func TestKeysAgainstMaps(t *testing.T) {
	defer debug.SetGCPercent(debug.SetGCPercent(2000)) // every file has large buffers
	random := rand.New(rand.NewPCG(31, 32))
	temp := t.TempDir()
	specs := make([]*shape.Shape, len(keyed))
	for i, text := range keyed {
		spec, err := shape.Parse("keyed.yaml", []byte(text))
		if err != nil {
			t.Fatal(err)
		}
		spec.Dialect.Nulls = []string{""}
		for i := range spec.Sources {
			spec.Sources[i].Rendered = []int{len(spec.Sources[i].Columns) - 1}
		}
		specs[i] = spec
	}
	found := map[string]int{}
	for round := range 5_000 {
		spec := specs[round%len(specs)]
		rows := randomTable(random, spec)
		inOrder := round%2 == 0
		if inOrder {
			sortTable(spec, rows)
		}
		want, wantRejects, wantWithout := mapJoin(spec, rows)
		trees, rejects, without, sorts := orderedJoin(t, temp, spec, rows)
		slices.Sort(rejects)
		slices.Sort(wantRejects)
		if !slices.Equal(trees, want) || !slices.Equal(rejects, wantRejects) || without != wantWithout {
			t.Fatalf("round %d, %s of %q:\n%q\n%q, %d without a parent; want\n%q\n%q, %d",
				round, spec.Collection, rows, trees, rejects, without, want, wantRejects, wantWithout)
		}
		found["sorts"] += sorts
		for _, reject := range rejects {
			_, reason, _ := strings.Cut(reject, " ")
			found[reason]++
		}
		found["without a parent"] += without
		found["items"] += len(trees)
	}
	for _, what := range []string{"sorts", "duplicate key", "orphan", "ambiguous parent", "without a parent", "items"} {
		if found[what] < 500 {
			t.Errorf("%d %s in all rounds: they show too little", found[what], what)
		}
	}
}
