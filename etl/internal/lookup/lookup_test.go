package lookup

import (
	"bytes"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// TestTableLikeAMap compares a Table with a map: random keys, some of them twice, some empty, and values of any length.
func TestTableLikeAMap(t *testing.T) {
	random := rand.New(rand.NewPCG(1, 2))
	for _, size := range []int{0, 1, 255, 256, 257, 20_000} {
		builder, err := NewBuilder(t.TempDir(), false)
		if err != nil {
			t.Fatal(err)
		}
		want := map[string]Value{}
		for range size {
			key := strings.Repeat("k", random.IntN(3)*random.IntN(200)) + fmt.Sprint(random.IntN(2*size))
			if random.IntN(size) == 0 {
				key = ""
			}
			value := Value{Text: bytes.Repeat([]byte{'v'}, random.IntN(50)), Null: random.IntN(2) == 0, Plain: random.IntN(2) == 0}
			_, there := want[key]
			added, err := builder.Add([]byte(key), value)
			if err != nil {
				t.Fatal(err)
			}
			if added == there {
				t.Fatalf("key %q: added %t, there %t", key, added, there)
			}
			if !there {
				want[key] = value
			}
		}
		table, err := builder.Table()
		if err != nil {
			t.Fatal(err)
		}
		if table.Len() != len(want) {
			t.Errorf("%d entries, want %d", table.Len(), len(want))
		}
		for key, value := range want {
			got, found := table.Find([]byte(key))
			if !found || !bytes.Equal(got.Text, value.Text) || got.Null != value.Null || got.Plain != value.Plain {
				t.Fatalf("of %d: key %q: got %+v, %t, want %+v", size, key, got, found, value)
			}
			if _, found := table.Find([]byte(key + "x")); found {
				t.Fatalf("key %q: found", key+"x")
			}
		}
		if err := table.Close(); err != nil {
			t.Fatal(err)
		}
		if err := table.Close(); err != nil {
			t.Errorf("the second Close: %v", err)
		}
	}
}

// TestNoFileStays builds a table and looks for its files.
func TestNoFileStays(t *testing.T) {
	directory := t.TempDir()
	builder, err := NewBuilder(directory, false)
	if err != nil {
		t.Fatal(err)
	}
	if files, _ := os.ReadDir(directory); len(files) > 0 {
		t.Errorf("files %v", files)
	}
	if err := builder.Close(); err != nil {
		t.Error(err)
	}
}

// TestFinder finds keys of a table whose keys are distinct, many at a time.
func TestFinder(t *testing.T) {
	builder, err := NewBuilder(t.TempDir(), true)
	if err != nil {
		t.Fatal(err)
	}
	const size = 5000
	for i := range size {
		if added, err := builder.Add(fmt.Append(nil, i), Value{Text: fmt.Append(nil, "value ", i)}); !added || err != nil {
			t.Fatal(added, err)
		}
	}
	table, err := builder.Table()
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = table.Close() }()
	var finder Finder
	var values [Most]Value
	var found [Most]bool
	for begin := 0; begin < size; begin += Most {
		var keys [][]byte
		for i := range Most {
			keys = append(keys, fmt.Append(nil, (begin+i)*3))
		}
		keys = keys[:1+begin/Most%Most]
		finder.Find(table, keys, values[:], found[:])
		for i := range keys {
			n := (begin + i) * 3
			if want := fmt.Sprint("value ", n); found[i] != (n < size) || found[i] && string(values[i].Text) != want {
				t.Fatalf("key %d: found %t, %q", n, found[i], values[i].Text)
			}
		}
	}
}

func TestNoDirectory(t *testing.T) {
	_, err := NewBuilder(filepath.Join(t.TempDir(), "none"), false)
	if err == nil || !strings.Contains(err.Error(), "--temp") {
		t.Errorf("error %v", err)
	}
}

func BenchmarkFind(b *testing.B) {
	builder, err := NewBuilder(b.TempDir(), true)
	if err != nil {
		b.Fatal(err)
	}
	const size = 200_000
	var key []byte
	for i := range size {
		key = fmt.Appendf(key[:0], "%d", i)
		if _, err := builder.Add(key, Value{Text: bytes.Repeat([]byte{'v'}, 80)}); err != nil {
			b.Fatal(err)
		}
	}
	table, err := builder.Table()
	if err != nil {
		b.Fatal(err)
	}
	defer func() { _ = table.Close() }()
	random := rand.New(rand.NewPCG(1, 2))
	b.ResetTimer()
	for range b.N {
		key = fmt.Appendf(key[:0], "%d", random.IntN(size))
		if _, found := table.Find(key); !found {
			b.Fatal("not found")
		}
	}
}
