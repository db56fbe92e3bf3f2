package join

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"runtime"
	"runtime/debug"
	"slices"
	"strings"
	"testing"

	"systemscale/etl/internal/source"
)

// small are bounds that files of some thousand rows exceed.
var small = bounds{generation: 64, generationBytes: 1 << 10, last: 32, block: 16, checked: 40}

// keyOrders are sequences of n different keys, in orders that are typical of dumps, or difficult.
var keyOrders = map[string]func(random *rand.Rand, n int) []int64{
	"ascending": func(_ *rand.Rand, n int) []int64 { return numbers(n, func(i int) int64 { return int64(i) }) },
	"nearly ascending": func(random *rand.Rand, n int) []int64 {
		keys := numbers(n, func(i int) int64 { return int64(i) })
		for i := 0; i+8 < n; i += 8 {
			random.Shuffle(8, func(a, b int) { keys[i+a], keys[i+b] = keys[i+b], keys[i+a] })
		}
		return keys
	},
	"ascending, with a few late": func(random *rand.Rand, n int) []int64 {
		keys := numbers(n, func(i int) int64 { return 2 * int64(i) })
		for i := n / 2; i < n; i += n / 10 {
			keys[i] = 2*random.Int64N(int64(n)/4) + 1
		}
		return slices.Compact(keys)
	},
	"shuffled": func(random *rand.Rand, n int) []int64 {
		keys := numbers(n, func(i int) int64 { return int64(i) })
		random.Shuffle(n, func(a, b int) { keys[a], keys[b] = keys[b], keys[a] })
		return keys
	},
	"random": func(random *rand.Rand, n int) []int64 { return numbers(n, func(int) int64 { return random.Int64() }) },
	"two sequences": func(_ *rand.Rand, n int) []int64 {
		return numbers(n, func(i int) int64 { return int64(i%2)<<40 + int64(i) })
	},
	"parts": func(_ *rand.Rand, n int) []int64 {
		return numbers(n, func(i int) int64 { return int64(i%(n/5))*8 + int64(5*i/n) })
	},
	"descending": func(_ *rand.Rand, n int) []int64 { return numbers(n, func(i int) int64 { return int64(n - i) }) },
}

func numbers(n int, key func(i int) int64) []int64 {
	keys := make([]int64, n)
	for i := range keys {
		keys[i] = key(i)
	}
	return keys
}

// withDuplicates repeats some keys soon after the first ones, and some far from them.
func withDuplicates(random *rand.Rand, keys []int64, near, far int) []int64 {
	for range near {
		from := random.IntN(len(keys))
		keys = slices.Insert(keys, min(from+1+random.IntN(10), len(keys)), keys[from])
	}
	for range far {
		keys = slices.Insert(keys, random.IntN(len(keys)), keys[random.IntN(len(keys))])
	}
	return keys
}

// duplicates reads keys with a set until it knows all duplicates, as joins do, and returns their indices and the number of readings.
func duplicates[K int64 | string](t *testing.T, options Options, keys []K, newSet func(*Options) keySet[K]) (found []int, readings int) {
	t.Helper()
	for readings = 1; ; readings++ {
		set := newSet(&options)
		found = found[:0]
		left := false
		for i, key := range keys {
			known, full := set.add(key)
			if full {
				if set.err() != nil {
					t.Fatal(set.err())
				}
				options.Keys.recorded, left = true, true
				break
			}
			if known {
				found = append(found, i)
			}
		}
		repeated, err := set.finish()
		set.close()
		if err != nil {
			t.Fatal(err)
		}
		if !left && !repeated {
			return found, readings
		}
	}
}

func textSetOf(options *Options) keySet[string] {
	newRecord := func() *recordSet[string] { return newRecordSet(options, 0, (*Keys).hashText) }
	return newTextSet(options.bounds, newRecord, options.Keys.recorded || options.Keys.isWatched(0))
}

func intSetOf(options *Options) keySet[int64] {
	newRecord := func() *recordSet[int64] { return newRecordSet(options, 0, (*Keys).hashInt) }
	return newIntSet(newRecord, options.Keys.isWatched(0))
}

// TestKeySetsAgainstMap compares the duplicates that the sets find with those of a map: the first row of a key is none, all others are. A
// reading after the last one, without a spool, finds the same.
func TestKeySetsAgainstMap(t *testing.T) {
	for name, order := range keyOrders {
		for _, repeats := range []struct{ near, far int }{{0, 0}, {30, 0}, {0, 3}, {40, 60}} {
			t.Run(fmt.Sprintf("%s, %d near, %d far", name, repeats.near, repeats.far), func(t *testing.T) {
				random := rand.New(rand.NewPCG(51, 52))
				keys := withDuplicates(random, order(random, 3000), repeats.near, repeats.far)
				texts := make([]string, len(keys))
				for i, key := range keys {
					texts[i] = fmt.Sprintf("k%020d", key)
				}
				var want []int
				had := map[int64]bool{}
				for i, key := range keys {
					if had[key] {
						want = append(want, i)
					}
					had[key] = true
				}
				options := Options{Context: t.Context(), Temp: t.TempDir(), Keys: NewKeys(), bounds: small}
				got, readings := duplicates(t, options, texts, textSetOf)
				if !slices.Equal(got, want) || readings > 3 {
					t.Errorf("%d texts, duplicates %v after %d readings, want %v", len(texts), got, readings, want)
				}
				if n := len(options.Keys.watched[0]); options.Keys.count != n {
					t.Errorf("%d keys are watched, and the count is %d", n, options.Keys.count)
				}
				options.Checked = true
				if again, more := duplicates(t, options, texts, textSetOf); !slices.Equal(again, want) || more > 1 {
					t.Errorf("the last reading found %v after %d readings, want %v", again, more, want)
				}
				// The ints are too far apart for the bitmaps.
				for i := range keys {
					keys[i] *= 1 << 20
				}
				options = Options{Context: t.Context(), Temp: t.TempDir(), Keys: NewKeys(), bounds: small}
				if got, readings := duplicates(t, options, keys, intSetOf); !slices.Equal(got, want) || readings > 2 {
					t.Errorf("%d ints, duplicates %v after %d readings, want %v", len(keys), got, readings, want)
				}
				if left, err := os.ReadDir(options.Temp); len(left) > 0 || err != nil {
					t.Errorf("temporary files remain: %v (%v)", left, err)
				}
			})
		}
	}
}

// TestFullIntSet adds more ints than the bitmaps have room for, and then keys of all kinds again.
func TestFullIntSet(t *testing.T) {
	var keys []int64
	for i := range int64(mostPieces + 100) {
		keys = append(keys, i<<16)
	}
	last := len(keys)
	keys = append(keys, 5<<16, 5<<16+1, 5<<16+1, (mostPieces+7)<<16, 6<<16)
	options := Options{Context: t.Context(), Temp: t.TempDir(), Keys: NewKeys(), bounds: small}
	got, readings := duplicates(t, options, keys, intSetOf)
	if want := []int{last, last + 2, last + 3, last + 4}; !slices.Equal(got, want) || readings != 2 {
		t.Errorf("duplicates %v after %d readings, want %v", got, readings, want)
	}
}

// TestNearDuplicatesTakeOneReading: only duplicates that are far from the first rows may cost another reading.
func TestNearDuplicatesTakeOneReading(t *testing.T) {
	for _, name := range []string{"ascending", "nearly ascending", "random", "two sequences"} {
		random := rand.New(rand.NewPCG(53, 54))
		keys := keyOrders[name](random, 100_000)
		for i := len(keys) - 1; i > 0; i -= 1000 {
			keys = slices.Insert(keys, i, keys[i-1])
		}
		texts := make([]string, len(keys))
		for i, key := range keys {
			texts[i] = fmt.Sprintf("k%020d", key)
		}
		options := Options{Context: t.Context(), Temp: t.TempDir(), Keys: NewKeys(), bounds: defaultBounds}
		if got, readings := duplicates(t, options, texts, textSetOf); len(got) != 100 || readings != 1 {
			t.Errorf("%s: %d duplicates after %d readings", name, len(got), readings)
		}
	}
}

// TestKeySetMemory adds many keys, and wants no more memory than for few.
func TestKeySetMemory(t *testing.T) {
	const rows, most = 500_000, 4 << 20
	for name, key := range map[string]func(i uint64) uint64{
		"ascending": func(i uint64) uint64 { return i },
		"random":    func(i uint64) uint64 { return i * 0x9e3779b97f4a7c15 },
	} {
		options := Options{Context: t.Context(), Temp: t.TempDir(), Keys: NewKeys(), bounds: defaultBounds}
		set := textSetOf(&options)
		heap := func() int64 {
			var stats runtime.MemStats
			debug.FreeOSMemory() // collects the garbage
			runtime.ReadMemStats(&stats)
			return int64(stats.HeapAlloc)
		}
		before := heap()
		for i := range uint64(rows) {
			if found, full := set.add(fmt.Sprintf("%016x", key(i))); found || full {
				t.Fatalf("%s: add of key %d = %v, %v", name, i, found, full)
			}
		}
		if grown := heap() - before; grown > most {
			t.Errorf("%s: %d rows take %d bytes", name, rows, grown)
		}
		if left, err := os.ReadDir(options.Temp); len(left) > 0 || err != nil {
			t.Errorf("%s: the temporary file has a name: %v (%v)", name, left, err)
		}
		if repeated, err := set.finish(); repeated || err != nil {
			t.Errorf("%s: keys are repeated: %v (%v)", name, repeated, err)
		}
		set.close()
	}
}

// TestSpoolSize: the temporary file takes eight bytes for each key.
func TestSpoolSize(t *testing.T) {
	s := newSpool(&Options{Context: t.Context(), Temp: t.TempDir(), bounds: small})
	defer s.close()
	random := rand.New(rand.NewPCG(55, 56))
	for range 10_000 {
		if err := s.add(random.Uint64() | 1); err != nil {
			t.Fatal(err)
		}
	}
	if info, err := s.file.Stat(); err != nil || info.Size() > 80_000 || info.Size() < 70_000 {
		t.Errorf("the file has %d bytes (%v)", info.Size(), err)
	}
}

// TestSpoolErrors: a spool that cannot write names the directory and the flag; a canceled one ends.
func TestSpoolErrors(t *testing.T) {
	fill := func(s *spool) error {
		for i := range uint64(1000) {
			if err := s.add(i << 54); err != nil {
				return err
			}
		}
		return nil
	}
	missing := filepath.Join(t.TempDir(), "none")
	s := newSpool(&Options{Context: t.Context(), Temp: missing, bounds: small})
	if err := fill(s); !errors.Is(err, os.ErrNotExist) || !strings.Contains(err.Error(), "--temp") || !strings.Contains(err.Error(), missing) {
		t.Errorf("without the directory: %v", err)
	}
	s = newSpool(&Options{Context: t.Context(), Temp: t.TempDir(), bounds: small})
	var err error
	if s.file, err = os.Open(os.DevNull); err != nil { // nothing can be written
		t.Fatal(err)
	}
	if err := fill(s); err == nil || !strings.Contains(err.Error(), "--temp") {
		t.Errorf("without room: %v", err)
	}
	s.close()
	ctx, cancel := context.WithCancel(t.Context())
	s = newSpool(&Options{Context: ctx, Temp: t.TempDir(), bounds: small})
	defer s.close()
	if err := fill(s); err != nil {
		t.Fatal(err)
	}
	cancel()
	if err := fill(s); !errors.Is(err, context.Canceled) {
		t.Errorf("canceled, add: %v", err)
	}
	if err := s.repeated(&hashSet{}, 10); !errors.Is(err, context.Canceled) {
		t.Errorf("canceled, repeated: %v", err)
	}
}

// TestJoinsWithRecordedKeys joins files with faults, with keys of both kinds and small bounds, until no Disorder is left, and compares the
// result with a nested loop join.
func TestJoinsWithRecordedKeys(t *testing.T) {
	random := rand.New(rand.NewPCG(57, 58))
	problems := map[Problem]int{}
	for round := range 100 {
		rows := dirtyRows(random)
		want, wantRejects := nestedLoops(rows)
		slices.Sort(wantRejects)
		files := filesOf(rows)
		for name, file := range files {
			files[name] = padKeys(name, file)
		}
		options := Options{Temp: t.TempDir(), Keys: NewKeys(), bounds: bounds{generation: 2, generationBytes: 1 << 10, last: 1, block: 8, checked: 2}}
		var trees, rejects []string
		for joins := 1; ; joins++ {
			var err error
			trees, rejects, err = joinOnce(t, strings.ReplaceAll(deep, ": int", ": text"), files, options)
			if err == nil {
				break
			}
			var disorder *Disorder
			if !errors.As(err, &disorder) || disorder.Problem != LateKeys && disorder.Problem != RepeatedKeys || joins > 8 {
				t.Fatalf("round %d, join %d: %v\n%v", round, joins, err, files)
			}
			problems[disorder.Problem]++
		}
		slices.Sort(rejects)
		if !slices.Equal(trees, want) || !slices.Equal(rejects, wantRejects) {
			t.Fatalf("round %d: trees\n%s\nwant\n%s\nrejects\n%s\nwant\n%s", round, strings.Join(trees, "\n"), strings.Join(want, "\n"),
				strings.Join(rejects, "\n"), strings.Join(wantRejects, "\n"))
		}
	}
	if problems[LateKeys] < 20 || problems[RepeatedKeys] < 20 {
		t.Errorf("the files cause too few problems to show anything: %v", problems)
	}
}

// padKeys gives the keys in the lines of a file a length, so that their texts have the order of the numbers.
func padKeys(name, file string) string {
	keys := 2
	if name == "a" {
		keys = 1
	}
	var padded strings.Builder
	for line := range strings.Lines(file) {
		fields := strings.SplitN(line, ",", keys+1)
		for i := range keys {
			fields[i] = fmt.Sprintf("%06s", fields[i])
		}
		padded.WriteString(strings.Join(fields, ","))
	}
	return padded.String()
}

// TestTooManyDuplicates: the number of keys that are watched is bounded.
func TestTooManyDuplicates(t *testing.T) {
	keys := NewKeys()
	keys.count = mostWatched - 2
	files := map[string]string{"a": "000001,x\n"}
	for round := range 2 {
		for i := range 10 {
			files["e"] += fmt.Sprintf("%d,000001,e%d\n", i, round)
		}
	}
	options := Options{Temp: t.TempDir(), Keys: keys, bounds: bounds{generation: 2, generationBytes: 1 << 10, last: 1, block: 8, checked: 2}}
	_, _, err := joinOnce(t, strings.ReplaceAll(deep, ": int", ": text"), files, options)
	if disorder := (*Disorder)(nil); !errors.As(err, &disorder) || disorder.Problem != LateKeys {
		t.Fatalf("the first join: %v", err)
	}
	_, _, err = joinOnce(t, strings.ReplaceAll(deep, ": int", ": text"), files, options)
	if mistake := (*source.FileError)(nil); !errors.As(err, &mistake) || mistake.File != "e.csv" || !strings.Contains(err.Error(), "is this column the key") {
		t.Errorf("the second join: %v", err)
	}
}

// TestKeysBelowEarlierItems: a key of a source with children that is not larger than those of earlier items is a duplicate, or its rows are
// in the wrong order. If the earlier keys are no longer in memory, the next join finds out which.
func TestKeysBelowEarlierItems(t *testing.T) {
	for late, duplicate := range map[string]bool{
		"000003": true,  // far before, in another item
		"000005": false, // not used before
	} {
		files := map[string]string{}
		for item := 1; item <= 20; item++ {
			files["a"] += fmt.Sprintf("%06d,x\n", item)
			for n := range 3 {
				if key := 3*item + n; key != 5 {
					files["b"] += fmt.Sprintf("b%06d,%06d,b\n", key, item)
				}
			}
		}
		files["a"] += "000030,x\n"
		files["b"] += fmt.Sprintf("b%s,000030,late\n", late)
		options := Options{Temp: t.TempDir(), Keys: NewKeys(), bounds: bounds{generation: 2, generationBytes: 1 << 10, last: 1, block: 8, checked: 2}}
		text := strings.ReplaceAll(deep, ": int", ": text")
		_, _, err := joinOnce(t, text, files, options)
		if disorder := (*Disorder)(nil); !errors.As(err, &disorder) || disorder.Problem != RepeatedKeys {
			t.Fatalf("%s: the first join: %v", late, err)
		}
		_, rejects, err := joinOnce(t, text, files, options)
		disorder := (*Disorder)(nil)
		switch {
		case duplicate && (err != nil || len(rejects) != 1 || rejects[0] != "b.csv:61 id duplicate key"):
			t.Errorf("%s: rejects %v, %v", late, rejects, err)
		case !duplicate && (!errors.As(err, &disorder) || disorder.Problem != ItemsInterleaved):
			t.Errorf("%s: %v", late, err)
		}
	}
}
