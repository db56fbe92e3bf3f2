package join

import (
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"systemscale/etl/internal/source"
)

// deep is a tree of four levels: a has children b and e, b has children c and d, c has children f.
const deep = `
collection: test
sources:
  a: {file: a.csv, key: id, columns: {id: int, text: text}}
  b: {file: b.csv, key: id, parent: a, on: a, columns: {id: int, a: int, text: text}}
  c: {file: c.csv, key: id, parent: b, on: b, columns: {id: int, b: int, text: text}}
  d: {file: d.csv, key: id, parent: b, on: b, columns: {id: int, b: int, text: text}}
  e: {file: e.csv, key: id, parent: a, on: a, columns: {id: int, a: int, text: text}}
  f: {file: f.csv, key: id, parent: c, on: c, columns: {id: int, c: int, text: text}}
documents:
  all:
    path: ""
    body:
      t: text
      b: {each: b, as: {t: text, c: {each: c, as: {t: text, f: {each: f, as: text}}}, d: {each: d, as: text}}}
      e: {each: e, as: text}
`

// dirty holds the rows of files with all faults that a join handles: within an item, keys are in any order and the children of
// several parents are interleaved; keys are repeated, in one item or in two; parents do not exist, or are themselves orphans or
// rows with a repeated key.
type dirty struct {
	random *rand.Rand
	rows   map[string][]row
	high   map[string]int64   // the highest key of a file so far
	had    map[string][]int64 // the keys of a file so far that the join uses
}

// add appends a row, and sometimes a row with an earlier key of the file.
func (d *dirty) add(name string, key, on int64, orphan bool) {
	if had := d.had[name]; len(had) > 0 && d.random.IntN(12) == 0 {
		d.append(name, had[d.random.IntN(len(had))], on)
	}
	d.append(name, key, on)
	if d.random.IntN(12) == 0 {
		d.append(name, key, on)
	}
	if !orphan {
		d.had[name] = append(d.had[name], key)
	}
}

func (d *dirty) append(name string, key, on int64) {
	d.rows[name] = append(d.rows[name], row{key: key, on: on, text: fmt.Sprintf("%s%d", name, len(d.rows[name]))})
}

// children appends rows of an item. Their parents have these keys, or a key between low and the highest of them, which may not
// exist. It returns the keys of the rows, which are above those of the file's earlier items.
func (d *dirty) children(name string, parents []int64, low int64, most int) []int64 {
	if len(parents) == 0 {
		return nil
	}
	high := slices.Max(parents)
	var ons []int64
	for _, parent := range parents {
		for range d.random.IntN(most + 1) {
			ons = append(ons, parent)
		}
		if d.random.IntN(6) == 0 {
			ons = append(ons, low+1+d.random.Int64N(high-low))
		}
	}
	if d.random.IntN(3) > 0 {
		d.random.Shuffle(len(ons), func(i, j int) { ons[i], ons[j] = ons[j], ons[i] })
	}
	keys := make([]int64, len(ons))
	for i := range keys {
		d.high[name] += 1 + d.random.Int64N(3)
		keys[i] = d.high[name]
	}
	d.random.Shuffle(len(keys), func(i, j int) { keys[i], keys[j] = keys[j], keys[i] })
	for i, on := range ons {
		d.add(name, keys[i], on, !slices.Contains(parents, on))
	}
	return keys
}

// dirtyRows returns files of some ten items.
func dirtyRows(random *rand.Rand) map[string][]row {
	d := &dirty{random: random, rows: map[string][]row{}, high: map[string]int64{}, had: map[string][]int64{}}
	key := int64(0)
	for range random.IntN(10) {
		low := key
		key += 1 + random.Int64N(3)
		d.append("a", key, 0)
		if random.IntN(8) == 0 {
			d.append("a", key, 0)
		}
		lows := map[string]int64{"b": d.high["b"], "c": d.high["c"]}
		// The children of an a that does not exist come before those of this one.
		for on := low + 1; on < key; on++ {
			for _, name := range []string{"b", "e"} {
				if random.IntN(3) == 0 {
					d.high[name]++
					d.append(name, d.high[name], on)
				}
			}
		}
		bs := d.children("b", []int64{key}, key-1, 5)
		// Rejected rows of b do not extend the range of this item's keys.
		bs = d.usedKeys("b", bs, key)
		cs := d.children("c", bs, lows["b"], 3)
		cs = d.usedKeys("c", cs, bs...)
		d.children("d", bs, lows["b"], 1)
		d.children("e", []int64{key}, key-1, 2)
		d.children("f", cs, lows["c"], 2)
	}
	return d.rows
}

// usedKeys returns the keys whose first row has one of the parents.
func (d *dirty) usedKeys(name string, keys []int64, parents ...int64) []int64 {
	var used []int64
	for _, key := range keys {
		if slices.ContainsFunc(d.rows[name], func(r row) bool { return r.key == key && slices.Contains(parents, r.on) }) {
			used = append(used, key)
		}
	}
	return used
}

// nestedLoops is a nested loop join: it returns the trees and the rejects that a join of the rows must return.
func nestedLoops(rows map[string][]row) (trees, rejects []string) {
	parents := map[string]string{"b": "a", "c": "b", "d": "b", "e": "a", "f": "c"}
	columns := parents // the columns are named after the parents
	used := map[string][]row{}
	for _, name := range []string{"a", "b", "c", "d", "e", "f"} {
		for i, r := range rows[name] {
			hasKey := func(key int64) func(row) bool { return func(other row) bool { return other.key == key } }
			switch {
			case name != "a" && !slices.ContainsFunc(used[parents[name]], hasKey(r.on)):
				rejects = append(rejects, fmt.Sprintf("%s.csv:%d %s %s", name, i+2, columns[name], source.Orphan))
			case slices.ContainsFunc(used[name], hasKey(r.key)):
				rejects = append(rejects, fmt.Sprintf("%s.csv:%d id %s", name, i+2, source.DuplicateKey))
			default:
				used[name] = append(used[name], r)
			}
		}
	}
	var show func(name string, r row) string
	all := func(name string, on int64) string {
		var found []string
		for _, r := range used[name] {
			if r.on == on {
				found = append(found, show(name, r))
			}
		}
		return strings.Join(found, " ")
	}
	show = func(name string, r row) string {
		switch name {
		case "a":
			return r.text + "(" + all("b", r.key) + ";" + all("e", r.key) + ")"
		case "b":
			return r.text + "(" + all("c", r.key) + ";" + all("d", r.key) + ")"
		case "c":
			return r.text + "(" + all("f", r.key) + ")"
		}
		return r.text
	}
	for _, r := range used["a"] {
		trees = append(trees, show("a", r))
	}
	return trees, rejects
}

// TestDirtAgainstNestedLoops compares the merge join with a nested loop join, on random files with faults.
func TestDirtAgainstNestedLoops(t *testing.T) {
	random := rand.New(rand.NewPCG(11, 12))
	rejected, scattered := 0, 0
	for round := range 400 {
		rows := dirtyRows(random)
		files := filesOf(rows)
		trees, rejects, err := joinFiles(t, deep, files)
		if err != nil {
			t.Fatalf("round %d: %v\n%v", round, err, files)
		}
		want, wantRejects := nestedLoops(rows)
		if !slices.Equal(trees, want) {
			t.Fatalf("round %d: trees\n%s\nwant\n%s", round, strings.Join(trees, "\n"), strings.Join(want, "\n"))
		}
		slices.Sort(rejects)
		slices.Sort(wantRejects)
		if !slices.Equal(rejects, wantRejects) {
			t.Fatalf("round %d: rejects\n%s\nwant\n%s", round, strings.Join(rejects, "\n"), strings.Join(wantRejects, "\n"))
		}
		rejected += len(rejects)
		for i := 2; i < len(rows["c"]); i++ {
			if c := rows["c"]; c[i].on == c[i-2].on && c[i].on != c[i-1].on {
				scattered++
			}
		}
	}
	if rejected < 1000 || scattered < 300 {
		t.Errorf("%d rejects and %d children between those of others: the files are too clean to show anything", rejected, scattered)
	}
}

func TestKeySetAgainstMap(t *testing.T) {
	random := rand.New(rand.NewPCG(13, 14))
	ranges := map[string]func() int64{
		"dense":           func() int64 { return random.Int64N(3_000) },
		"around zero":     func() int64 { return random.Int64N(2_000) - 1_000 },
		"around a piece":  func() int64 { return 1<<16 - 50 + random.Int64N(100) },
		"pieces in turns": func() int64 { return random.Int64N(5)<<16 | random.Int64N(64) },
		"far pieces":      func() int64 { return random.Int64N(5)<<24 | random.Int64N(64) },
		"negative pieces": func() int64 { return -(random.Int64N(5) << 16) - random.Int64N(64) },
		"the limits": func() int64 {
			return []int64{math.MinInt64, math.MaxInt64}[random.IntN(2)] ^ random.Int64N(40)
		},
	}
	for name, key := range ranges {
		t.Run(name, func(t *testing.T) {
			set := newIntSet(nil, false)
			want := map[int64]bool{}
			for range 5_000 {
				k := key()
				if found, full := set.add(k); found != want[k] || full {
					t.Fatalf("add(%d) = %v, full %v; want %v", k, found, full, want[k])
				}
				want[k] = true
			}
		})
	}
}
