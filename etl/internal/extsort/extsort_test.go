package extsort

import (
	"bytes"
	"cmp"
	"encoding/binary"
	"fmt"
	"io"
	"math"
	"math/rand/v2"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"testing"
)

type record struct {
	key, sequence int64
	payload       []byte
}

func byKeyAndSequence(a, b record) int {
	return cmp.Or(cmp.Compare(a.key, b.key), cmp.Compare(a.sequence, b.sequence))
}

// sorted sorts records with a Sorter, and overwrites the payload buffer after every Add and Next.
func sorted(t *testing.T, memory int, records []record) (got []record, spilled int) {
	t.Helper()
	directory := t.TempDir()
	s := New(directory, memory)
	var scratch []byte
	for _, r := range records {
		scratch = append(scratch[:0], r.payload...)
		if err := s.Add(AppendInt(nil, r.key), r.sequence, scratch); err != nil {
			t.Fatal(err)
		}
		clear(scratch)
	}
	result, err := s.Sort()
	if err != nil {
		t.Fatal(err)
	}
	for {
		key, sequence, payload, err := result.Next()
		if err == io.EOF {
			break
		}
		if err != nil {
			t.Fatal(err)
		}
		got = append(got, record{Int(key), sequence, bytes.Clone(payload)})
	}
	if _, _, _, err := result.Next(); err != io.EOF {
		t.Errorf("Next after the end = %v", err)
	}
	_, spilled = result.Spilled()
	if left, err := os.ReadDir(directory); err != nil || len(left) > 0 {
		t.Errorf("the directory contains %v (%v)", left, err)
	}
	if err := result.Close(); err != nil {
		t.Error(err)
	}
	return got, spilled
}

func checkSorted(t *testing.T, memory int, records []record) (spilled int) {
	t.Helper()
	got, spilled := sorted(t, memory, records)
	want := slices.Clone(records)
	slices.SortStableFunc(want, byKeyAndSequence)
	if len(got) != len(want) {
		t.Fatalf("%d records, want %d", len(got), len(want))
	}
	for i := range want {
		if byKeyAndSequence(got[i], want[i]) != 0 || !bytes.Equal(got[i].payload, want[i].payload) {
			t.Fatalf("record %d is %d/%d %.40q, want %d/%d %.40q", i, got[i].key, got[i].sequence, got[i].payload,
				want[i].key, want[i].sequence, want[i].payload)
		}
	}
	return spilled
}

// payloadOf is different for every sequence.
func payloadOf(sequence int64, size int) []byte {
	payload := bytes.Repeat([]byte{byte('a' + sequence%26)}, size)
	return binary.AppendVarint(payload, sequence)
}

func TestSort(t *testing.T) {
	cases := []struct {
		name     string
		records  int
		memory   int
		minRuns  int
		key      func(i int64, random *rand.Rand) int64
		sequence func(i int64) int64
		size     func(random *rand.Rand) int
	}{
		{name: "none", memory: 1 << 20},
		{name: "one", records: 1, memory: 1},
		{name: "all in memory", records: 5000, memory: 1 << 20},
		{name: "in order", records: 20_000, memory: 64 << 10, minRuns: 5, key: func(i int64, _ *rand.Rand) int64 { return i / 3 }},
		{name: "in blocks", records: 20_000, memory: 64 << 10, minRuns: 5, key: func(i int64, _ *rand.Rand) int64 { return scattered(i / 7) }},
		{name: "one key", records: 20_000, memory: 64 << 10, minRuns: 5, key: func(int64, *rand.Rand) int64 { return 7 }},
		{
			name: "one key, descending sequences", records: 20_000, memory: 64 << 10, minRuns: 5,
			key: func(int64, *rand.Rand) int64 { return 7 }, sequence: func(i int64) int64 { return -i },
		},
		{
			name: "extreme keys", records: 9000, memory: 64 << 10, minRuns: 2,
			key: func(_ int64, random *rand.Rand) int64 {
				return []int64{math.MinInt64, -1, 0, math.MaxInt64}[random.IntN(4)]
			},
		},
		{name: "extreme sequences", records: 9000, memory: 64 << 10, minRuns: 2, sequence: func(i int64) int64 { return math.MaxInt64 - i }},
		{name: "merged in many stages", records: 20_000, memory: 1, minRuns: 100},
		{name: "as many runs as are merged at once", records: 40_000, memory: 256 << 10, minRuns: 6},
		{name: "empty payloads", records: 20_000, memory: 64 << 10, minRuns: 5, size: func(*rand.Rand) int { return -1 }},
		{
			name: "payloads larger than a block and than the memory", records: 300, memory: 100 << 10, minRuns: 50,
			size: func(random *rand.Rand) int { return random.IntN(4) * 60_000 },
		},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			random := rand.New(rand.NewPCG(1, uint64(c.records)))
			var records []record
			for i := range int64(c.records) {
				r := record{key: random.Int64N(1000) - 500, sequence: i}
				if c.key != nil {
					r.key = c.key(i, random)
				}
				if c.sequence != nil {
					r.sequence = c.sequence(i)
				}
				size := random.IntN(40)
				if c.size != nil {
					size = c.size(random)
				}
				if size >= 0 {
					r.payload = payloadOf(r.sequence, size)
				}
				records = append(records, r)
			}
			if runs := checkSorted(t, c.memory, records); runs < c.minRuns || c.minRuns == 0 && runs > 0 {
				t.Errorf("%d runs were spilled, want at least %d, or none for 0", runs, c.minRuns)
			}
		})
	}
}

// scattered maps numbers to numbers in another order.
func scattered(n int64) int64 { return n * 7919 % 10_007 }

func TestSortWithAnyMemory(t *testing.T) {
	random := rand.New(rand.NewPCG(2, 2))
	for range 30 {
		memory := 1 << random.IntN(18)
		records := make([]record, random.IntN(2000))
		for i := range records {
			records[i] = record{random.Int64() >> random.IntN(64), int64(i), payloadOf(int64(i), random.IntN(1<<random.IntN(12)))}
		}
		checkSorted(t, memory, records)
	}
}

func FuzzSort(f *testing.F) {
	f.Add(uint16(1), []byte("\x01\x02\x03"))
	f.Add(uint16(5000), bytes.Repeat([]byte("\x80\x10\xff\x00"), 3000))
	f.Fuzz(func(t *testing.T, memory uint16, input []byte) {
		// Each byte gives the key and the size of the payload of a record.
		records := make([]record, len(input))
		for i, b := range input {
			records[i] = record{int64(int8(b)), int64(i), payloadOf(int64(i), int(b)*8)}
		}
		checkSorted(t, int(memory), records)
	})
}

// fill adds records until a Sorter with little memory has spilled.
func fill(s *Sorter) error {
	for i := range int64(10_000) {
		if err := s.Add(AppendInt(nil, -i), i, []byte("payload")); err != nil {
			return err
		}
	}
	return nil
}

// TestErrors checks that errors contain the directory and the remedy.
func TestErrors(t *testing.T) {
	missing := filepath.Join(t.TempDir(), "missing")
	check := func(t *testing.T, directory string, err error) {
		t.Helper()
		if err == nil || !strings.Contains(err.Error(), "sort in "+directory) || !strings.Contains(err.Error(), "--temp") {
			t.Errorf("error %v, want directory and remedy", err)
		}
	}
	t.Run("no directory", func(t *testing.T) { check(t, missing, fill(New(missing, 1))) })
	t.Run("write error in Add", func(t *testing.T) {
		directory := t.TempDir()
		s := New(directory, 1)
		if err := fill(s); err != nil {
			t.Fatal(err)
		}
		_ = s.file.Close()
		check(t, directory, fill(s))
	})
	t.Run("write error in Sort", func(t *testing.T) {
		directory := t.TempDir()
		s := New(directory, 1)
		if err := fill(s); err != nil {
			t.Fatal(err)
		}
		_ = s.file.Close()
		result, err := s.Sort()
		check(t, directory, err)
		if result != nil {
			t.Error("Sort returned a result with its error")
		}
	})
	for name, spoil := range map[string]func(*os.File) error{
		"truncated":   func(file *os.File) error { return file.Truncate(0) },
		"overwritten": func(file *os.File) error { _, err := file.WriteAt(bytes.Repeat([]byte{0xff}, 1<<20), 0); return err },
	} {
		t.Run("file "+name, func(t *testing.T) {
			directory := t.TempDir()
			s := New(directory, 64<<10)
			for range 3 {
				if err := fill(s); err != nil {
					t.Fatal(err)
				}
			}
			result, err := s.Sort()
			if err != nil {
				t.Fatal(err)
			}
			if err := spoil(s.file); err != nil {
				t.Fatal(err)
			}
			for err == nil {
				_, _, _, err = result.Next()
			}
			check(t, directory, err)
			if err := result.Close(); err != nil {
				t.Error(err)
			}
		})
	}
}

func TestCloseWithoutSort(t *testing.T) {
	s := New(t.TempDir(), 1)
	if err := fill(s); err != nil {
		t.Fatal(err)
	}
	if s.file == nil {
		t.Fatal("nothing was spilled")
	}
	for range 2 {
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	}
}

// TestMemoryIsBounded sorts sixty times the memory limit, and checks the total of the allocations.
func TestMemoryIsBounded(t *testing.T) {
	const memory = 512 << 10
	s := New(t.TempDir(), memory)
	payload := bytes.Repeat([]byte("x"), 100)
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	const records = 300_000
	var key []byte
	for i := range int64(records) {
		key = AppendInt(key[:0], scattered(i))
		if err := s.Add(key, i, payload); err != nil {
			t.Fatal(err)
		}
	}
	result, err := s.Sort()
	if err != nil {
		t.Fatal(err)
	}
	count := 0
	for {
		_, _, _, err := result.Next()
		if err == io.EOF {
			break
		}
		if err != nil {
			t.Fatal(err)
		}
		count++
	}
	runtime.ReadMemStats(&after)
	bytes, runs := result.Spilled()
	if count != records || runs < maxFanIn || bytes < records*int64(len(payload)) {
		t.Errorf("%d records, %d bytes and %d runs spilled", count, bytes, runs)
	}
	// The index is doubled several times; the total includes all its sizes.
	if allocated := after.TotalAlloc - before.TotalAlloc; allocated > 2*memory {
		t.Errorf("%d bytes were allocated, want at most twice %d", allocated, memory)
	}
	if objects := after.Mallocs - before.Mallocs; objects > records/100 {
		t.Errorf("%d objects were allocated for %d records", objects, records)
	}
	if err := result.Close(); err != nil {
		t.Error(err)
	}
}

func BenchmarkSort(b *testing.B) {
	const records, size = 1_000_000, 60
	payload := bytes.Repeat([]byte("x"), size)
	for _, order := range []struct {
		name string
		key  func(int64) int64
	}{
		{"ascending", func(i int64) int64 { return i }},
		{"blocks", func(i int64) int64 { return scattered(i/6) % 10_007 }},
		{"random", func(i int64) int64 { return int64(uint64(i) * 0x9e3779b97f4a7c15 >> 20) }},
	} {
		for _, memory := range []int{2 << 20, 8 << 20, 32 << 20, 256 << 20} {
			b.Run(fmt.Sprintf("%s/%dMiB", order.name, memory>>20), func(b *testing.B) {
				b.SetBytes(records * size)
				b.ReportAllocs()
				var key []byte
				for b.Loop() {
					s := New(b.TempDir(), memory)
					for i := range int64(records) {
						key = AppendInt(key[:0], order.key(i))
						if err := s.Add(key, i, payload); err != nil {
							b.Fatal(err)
						}
					}
					result, err := s.Sort()
					if err != nil {
						b.Fatal(err)
					}
					count, last := 0, int64(math.MinInt64)
					for {
						next, _, _, err := result.Next()
						if err == io.EOF {
							break
						}
						if err != nil || Int(next) < last {
							b.Fatal(err, next, last)
						}
						count, last = count+1, Int(next)
					}
					if err := result.Close(); err != nil || count != records {
						b.Fatal(err, count)
					}
				}
			})
		}
	}
}

// TestSortOfTextKeys compares keys of all lengths, many of which have a beginning in common, with a sort in memory.
func TestSortOfTextKeys(t *testing.T) {
	random := rand.New(rand.NewPCG(21, 22))
	keys := [][]byte{nil, {0}, {0, 0}, []byte("12345678"), []byte("12345678\x00"), []byte("1234567"), bytes.Repeat([]byte{'x'}, 5000)}
	for range 3000 {
		key := []byte(strings.Repeat("ab", random.IntN(8)))
		for range random.IntN(12) {
			key = append(key, "\x00a\xff"[random.IntN(3)])
		}
		keys = append(keys, key)
	}
	for _, memory := range []int{1, 64 << 10, 8 << 20} {
		s := New(t.TempDir(), memory)
		for i, key := range keys {
			if err := s.Add(key, int64(i), payloadOf(int64(i), i%50)); err != nil {
				t.Fatal(err)
			}
		}
		want := make([]int64, len(keys))
		for i := range want {
			want[i] = int64(i)
		}
		slices.SortStableFunc(want, func(a, b int64) int { return bytes.Compare(keys[a], keys[b]) })
		result, err := s.Sort()
		if err != nil {
			t.Fatal(err)
		}
		for at, i := range want {
			key, sequence, payload, err := result.Next()
			if err != nil || sequence != i || !bytes.Equal(key, keys[i]) || !bytes.Equal(payload, payloadOf(i, int(i)%50)) {
				t.Fatalf("with %d bytes of memory, record %d is %d, %.40q (%v), want %d, %.40q", memory, at, sequence, key, err, i, keys[i])
			}
		}
		if _, _, _, err := result.Next(); err != io.EOF {
			t.Errorf("after the last record: %v", err)
		}
		if err := result.Close(); err != nil {
			t.Error(err)
		}
	}
}
