//go:build linux || darwin

package lookup

import (
	"bytes"
	"runtime"
	"strconv"
	"testing"
)

// TestMemory builds a table of 30 MB and finds its keys: nearly nothing of it is in the memory of the Go runtime.
func TestMemory(t *testing.T) {
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	builder, err := NewBuilder(t.TempDir(), false)
	if err != nil {
		t.Fatal(err)
	}
	const size = 100_000
	value := Value{Text: bytes.Repeat([]byte{'v'}, 300)}
	var key []byte
	for i := range size {
		key = strconv.AppendInt(key[:0], int64(i), 10)
		if _, err := builder.Add(key, value); err != nil {
			t.Fatal(err)
		}
	}
	table, err := builder.Table()
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = table.Close() }()
	for i := range size {
		key = strconv.AppendInt(key[:0], int64(i), 10)
		if _, found := table.Find(key); !found {
			t.Fatalf("key %s is not found", key)
		}
	}
	runtime.ReadMemStats(&after)
	if allocated := after.TotalAlloc - before.TotalAlloc; allocated > 6<<20 {
		t.Errorf("%d bytes were allocated", allocated)
	}
}
