package source

import (
	"bytes"
	"fmt"
	"strings"
	"testing"

	"systemscale/etl/internal/lookup"
	"systemscale/etl/internal/shape"
)

// lookingUp has a source of which each row looks up another one, by one column or by two.
const lookingUp = `
dialect: {null: "-"}
sources:
  game: {file: games.csv, key: id, columns: {id: int, season: text?, team: int?}}
  team: {file: teams.csv, key: KEY, columns: {season: text, id: int, name: text}}
documents: {all: {list: true, body: {id: id, team: {lookup: team, by: BY, as: name, empty: none}}}}
`

// lookingUpBy returns a reader of games with these rows, and the key of season 1901 and team 7 in its table.
func lookingUpBy(t testing.TB, columns, rows string) *Reader {
	t.Helper()
	key, place := "[season, id]", 0
	if columns == "team" {
		key, place = "id", 1
	}
	spec, err := shape.Parse("games.yaml", []byte("collection: games"+strings.NewReplacer("KEY", key, "BY", columns).Replace(lookingUp)))
	if err != nil {
		t.Fatal(err)
	}
	builder, err := lookup.NewBuilder(t.TempDir(), false)
	if err != nil {
		t.Fatal(err)
	}
	team := textRow("1901", "7")
	added, _ := team.AppendLookupKey(nil, team.cells, []int{0, 1}[place:])
	if _, err := builder.Add(added, lookup.Value{Text: []byte("Owls"), Plain: true}); err != nil {
		t.Fatal(err)
	}
	table, err := builder.Table()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = table.Close() })
	in := "id,season,team\n" + rows
	reader, err := NewReader(strings.NewReader(in), &spec.Sources[0], &spec.Dialect, &memory{}, Options{})
	if err != nil {
		t.Fatal(err)
	}
	reader.LookUp([]*lookup.Table{table})
	return reader
}

// textRow returns a row with these texts.
func textRow(texts ...string) *Rows {
	r := &Rows{width: len(texts)}
	for _, text := range texts {
		r.cells = append(r.cells, Cell{at: ^int64(len(r.spare)), length: int32(len(text))})
		r.spare = append(r.spare, text...)
	}
	return r
}

// TestLookUpByColumns looks up by two columns, on the fast path and off it, where the season is "" or has an escaped quote.
func TestLookUpByColumns(t *testing.T) {
	reader := lookingUpBy(t, "[season, team]", "1,1901,7\n2,-,7\n3,1901,-\n4,190,17\n5,19017,7\n6,,19017\n7,\"19\"\"01\",7\n8,\"1901\",7\n9,1901,07\n")
	var got []string
	eachRow(t, reader, func() {
		rows := reader.Rows()
		cells := rows.Row(int32(rows.Len() - 1))
		got = append(got, string(rows.Text(&cells[len(cells)-1])))
		reader.Release()
	})
	if want := `Owls "none" "none" "none" "none" "none" "none" Owls Owls`; strings.Join(got, " ") != want {
		t.Errorf("got %s, want %s", strings.Join(got, " "), want)
	}
}

// TestNoTargetOfColumns rejects the rows that lack a value that is required. The reject names all columns of the key.
func TestNoTargetOfColumns(t *testing.T) {
	reader := lookingUpBy(t, "[season, team], required: true", "1,1901,7\n2,1902,7\n3,-,7\n")
	eachRow(t, reader, reader.Release)
	rejects := reader.rejects.(*memory).rejects
	if len(rejects) != 1 || rejects[0].Line != 3 || rejects[0].Reason != NoTarget || rejects[0].Column != "season, team" {
		t.Errorf("rejects %+v, want one of line 3", rejects)
	}
}

// FuzzLookupKey compares the keys of two rows of three texts: they are equal if and only if all texts are.
func FuzzLookupKey(f *testing.F) {
	f.Add("a", "bc", "", "ab", "c", "")
	f.Add("1", "12", "3", "11", "2", "3")
	f.Add("", "\x00", "x", "\x00", "", "x")
	f.Add("\x01a", "", "", "", "\x01a", "")
	f.Add(strings.Repeat("k", 300), "a", "b", strings.Repeat("k", 300), "a", "b")
	f.Fuzz(func(t *testing.T, a, b, c, d, e, g string) {
		one, other := textRow(a, b, c), textRow(d, e, g)
		places := []int{0, 1, 2}
		key, known := one.AppendLookupKey([]byte("before"), one.cells, places)
		key, before := bytes.CutPrefix(key, []byte("before"))
		second, _ := other.AppendLookupKey(nil, other.cells, places)
		if same := a == d && b == e && c == g; !known || !before || bytes.Equal(key, second) != same {
			t.Errorf("%q %q %q and %q %q %q have the keys %q and %q", a, b, c, d, e, g, key, second)
		}
		one.cells[1].Null = true
		if _, known := one.AppendLookupKey(nil, one.cells, places); known {
			t.Error("a key with a null is known")
		}
	})
}

func TestLookUpAllocatesNothingPerRow(t *testing.T) {
	for _, columns := range []string{"team", "[season, team]"} {
		reader := lookingUpBy(t, columns, strings.Repeat("1,1901,7\n2,1902,\"8\"\n3,-,-\n", 20_000))
		next := func() {
			for range batch {
				if more, err := reader.Next(); err != nil || !more {
					t.Fatal(more, err)
				}
				reader.Release()
			}
		}
		for range 200 { // until the buffers have grown
			next()
		}
		if n := testing.AllocsPerRun(600, next); n != 0 {
			t.Errorf("by %s: %v allocations per batch, want 0", columns, n)
		}
	}
}

// BenchmarkLookUp reads rows that look up by one column and by two, all of the same row.
func BenchmarkLookUp(b *testing.B) {
	const rows = 200_000
	var in strings.Builder
	for i := range rows {
		fmt.Fprintf(&in, "%d,1901,7\n", i)
	}
	for name, columns := range map[string]string{"one": "team", "two": "[season, team]"} {
		b.Run(name, func(b *testing.B) {
			b.SetBytes(int64(in.Len()))
			b.ReportAllocs()
			for b.Loop() {
				reader := lookingUpBy(b, columns, in.String())
				read := 0
				for more := true; more; read++ {
					var err error
					if more, err = reader.Next(); err != nil {
						b.Fatal(err)
					}
					reader.Release()
				}
				if read-1 != rows {
					b.Fatalf("%d rows, want %d", read-1, rows)
				}
			}
		})
	}
}
