package size_test

import (
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"systemscale/scripts/chart"
	"systemscale/scripts/growth/size"
)

// catalog returns a size whose costs are as they should be: 10 µs, 3 blocks and 100 bytes for each product.
func catalog(products int) size.Size {
	n := int64(products)
	step := size.Step{Wall: float64(n) / 1e5, CPU: float64(n) / 1e5, Postgres: float64(n) / 2e5, Memory: 50 << 20}
	return size.Size{
		Products: products, Rows: 26 * n, CSVBytes: 2350 * n, Documents: 4 * n, TableBytes: 3000 * n, IndexBytes: 130 * n, IndexLevels: 2,
		Load: step, Plan: step, Delta: step,
		Lookup: size.Lookup{API: []float64{21, 20, 22}, Postgres: []float64{30, 31, 29}, Index: 3, Heap: 1, Bytes: 1800},
	}
}

func TestGrow(t *testing.T) {
	for _, test := range []struct {
		name   string
		change func(large *size.Size)
		missed string // a part of the name of the only check that is missed; "": none
	}{
		{"as it should be", func(*size.Size) {}, ""},
		{"one more level", func(s *size.Size) { s.IndexLevels, s.Lookup.Index = 3, 4 }, ""},
		{"a block too many", func(s *size.Size) { s.Lookup.Index = 3.06 }, "primary key per lookup, 1,000,000"},
		{"far more blocks", func(s *size.Size) { s.Lookup.Heap = 10 }, "blocks per lookup"},
		{"slow lookups", func(s *size.Size) { s.Lookup.API = []float64{200, 200, 200} }, "time per lookup"},
		{"a load that sorts", func(s *size.Size) { s.Load.CPU *= 2 }, "of a load"},
		{"a plan that sorts", func(s *size.Size) { s.Plan.Postgres *= 5 }, "of a plan"},
		{"a delta that sorts", func(s *size.Size) { s.Delta.CPU *= 2 }, "of a delta"},
		{"bloated tables", func(s *size.Size) { s.TableBytes *= 2 }, "size of the tables"},
		{"bloated keys", func(s *size.Size) { s.IndexBytes *= 2 }, "size of the primary keys"},
		{"everything in memory", func(s *size.Size) { s.Load.Memory *= 10 }, "peak memory"},
	} {
		large := catalog(1_000_000)
		test.change(&large)
		r := size.Report{Sizes: []size.Size{catalog(10_000), catalog(100_000), large}}
		r.Grow()
		var missed []string
		for _, check := range r.Checks {
			if check.Reached == strings.Contains(check.String(), "MISSED") {
				t.Errorf("%s: %q, but reached is %v", test.name, check, check.Reached)
			}
			if !check.Reached {
				missed = append(missed, check.Name)
			}
		}
		if got := strings.Join(missed, ", "); !strings.Contains(got, test.missed) || len(missed) > 1 || (test.missed == "") != (got == "") {
			t.Errorf("%s: missed %q, want %q", test.name, got, test.missed)
		}
	}
}

// The bound of a logarithm, by hand: from 10,000 to 1,000,000 products, log n grows by 6/4, and one level is free.
func TestLogarithm(t *testing.T) {
	r := size.Report{Sizes: []size.Size{catalog(10_000), catalog(1_000_000)}}
	r.Grow()
	if got := r.Checks[0]; got.Small != 4 || got.Large != 4 || got.Most < 6.999 || got.Most > 7.001 {
		t.Errorf("%v, want at most 7 blocks", got)
	}
	one := size.Report{Sizes: r.Sizes[:1]}
	if one.Grow(); len(one.Checks) != 0 {
		t.Errorf("one size has the checks %v", one.Checks)
	}
}

func TestReadWrite(t *testing.T) {
	want := size.Report{Date: "2026-01-02T03:04:05Z", Command: "bench size", Sizes: []size.Size{catalog(10_000), catalog(1_000_000)}}
	want.Grow()
	path := filepath.Join(t.TempDir(), "size.json")
	if err := want.Write(path); err != nil {
		t.Fatal(err)
	}
	got, err := size.Read(path)
	if err != nil {
		t.Fatal(err)
	}
	if difference := cmp.Diff(&want, got); difference != "" {
		t.Error(difference)
	}
	if _, err := size.Read(path + ".missing"); err == nil {
		t.Error("a file that does not exist was read")
	}
}

func TestCharts(t *testing.T) {
	r := size.Report{Sizes: []size.Size{catalog(10_000), catalog(1_000_000)}}
	for name, c := range r.Charts() {
		if _, err := c.SVG(chart.Light); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
}
