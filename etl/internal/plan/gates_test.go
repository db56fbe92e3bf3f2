package plan

import (
	"errors"
	"testing"

	"github.com/google/go-cmp/cmp"

	"systemscale/etl/internal/publish"
	"systemscale/etl/internal/source"
	"systemscale/sql"
)

func TestEvaluate(t *testing.T) {
	standard := func() *Limits {
		return &Limits{MaxRejects: 1, MaxRemoved: 5, MaxChanged: 50, MinRows: 1, MaxDocument: 1 << 20, MaxFewerRows: 10}
	}
	good := source.Counts{
		File: "a.csv", Read: 100, Used: 90, Filtered: map[string]int64{"x": 9}, Rejected: map[source.Reason]int64{source.Orphan: 1},
	}
	items := publish.Items{Published: 100, Changed: 50, Removed: 5}
	cases := []struct {
		name   string
		limits func(*Limits)
		counts func(*source.Counts)
		items  func(*publish.Items)
		bytes  int64
		want   []Gate // gates that fail
	}{
		{name: "all at their limits", bytes: 1 << 20},
		{name: "a lost row", counts: func(c *source.Counts) { c.Used-- }, want: []Gate{Unreconciled}},
		{name: "a row too many", counts: func(c *source.Counts) { c.Used++ }, want: []Gate{Unreconciled}},
		{
			name: "rejects", counts: func(c *source.Counts) { c.Rejected = map[source.Reason]int64{source.NotInt: 2}; c.Used-- },
			want: []Gate{Rejects},
		},
		{name: "removed", items: func(i *publish.Items) { i.Removed++ }, want: []Gate{Removed}},
		{name: "changed", items: func(i *publish.Items) { i.Changed++ }, want: []Gate{Changed}},
		{name: "empty", counts: func(c *source.Counts) { *c = source.Counts{File: "a.csv"} }, want: []Gate{EmptyFile}},
		{name: "large", bytes: 1<<20 + 1, want: []Gate{DocumentSize}},
		{name: "two", items: func(i *publish.Items) { i.Changed, i.Removed = 100, 100 }, want: []Gate{Removed, Changed}},
		{
			name: "one of two accepted", items: func(i *publish.Items) { i.Changed, i.Removed = 100, 100 },
			limits: func(l *Limits) { l.Accept = []Gate{Removed} }, want: []Gate{Changed},
		},
		{name: "nothing published", items: func(i *publish.Items) { *i = publish.Items{} }},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			limits, counts, of := standard(), good, items
			if c.limits != nil {
				c.limits(limits)
			}
			if c.counts != nil {
				c.counts(&counts)
			}
			if c.items != nil {
				c.items(&of)
			}
			results := Evaluate(limits, []source.Counts{good, counts}, nil, nil, publish.Changes{Items: of}, Largest{Bytes: c.bytes})
			var failed []Gate
			for _, f := range results {
				if f.Verdict == publish.Failed {
					failed = append(failed, Gate(f.Gate))
				}
			}
			if diff := cmp.Diff(c.want, failed); diff != "" {
				t.Errorf("failed gates: want (-), got (+)\n%s", diff)
			}
			var gates *GateError
			if err := Failed(results); errors.As(err, &gates) != (c.want != nil) || c.want != nil && gates.First() != c.want[0] {
				t.Errorf("Failed = %v, want %v", err, c.want)
			}
		})
	}
}

// TestMessages has each gate fail alone and compares its message.
func TestMessages(t *testing.T) {
	standard := Limits{MaxRejects: 1, MaxRemoved: 5, MaxChanged: 50, MinRows: 1, MaxDocument: 1 << 20, MaxFewerRows: 10}
	good := source.Counts{File: "a.csv", Read: 11_000, Used: 11_000}
	counts := func(change func(*source.Counts)) []source.Counts {
		c := good
		change(&c)
		return []source.Counts{good, c}
	}
	for gate, c := range map[Gate]struct {
		counts  []source.Counts
		before  []source.Counts
		cut     []string
		items   publish.Items
		largest Largest
		want    string
	}{
		TruncatedFile: {
			cut: []string{"a.csv:2: x", "b.csv:3: y"}, want: "2 files are cut off: a.csv:2: x; b.csv:3: y. Run again when the dump is complete",
		},
		Unreconciled: {
			counts: counts(func(c *source.Counts) { c.Used -= 1234 }),
			want: "more than 0 rows were read and are neither used, filtered, rejected nor without a parent (a.csv: 1,234): " +
				"this is a defect of etl, please report it",
		},
		Rejects: {
			counts: counts(func(c *source.Counts) { c.Used, c.Rejected = 10_000, map[source.Reason]int64{source.Orphan: 1000} }),
			want: "more than 1% of the rows are rejected: a.csv 9.09% (1,000 of 11,000; 1,000 rejected: orphan). " +
				"Correct the files, or raise --max-rejects",
		},
		Removed: {
			items: publish.Items{Published: 10_000, Removed: 9650},
			want:  "9,650 of 10,000 published items would be removed, more than 5%. Is the dump complete? If it is, raise --max-removed",
		},
		Changed: {
			items: publish.Items{Published: 1, Changed: 1},
			want:  "1 of 1 published item would change, more than 50%. etl plan shows how; if that is right, raise --max-changed",
		},
		MissingColumn: {
			counts: counts(func(c *source.Counts) { c.Missing = []string{"title"} }), want: "columns are missing and were read as null: a.csv title",
		},
		EmptyFile: {
			counts: counts(func(c *source.Counts) { c.Read, c.Used = 0, 0 }),
			want:   "files have fewer rows than 1: a.csv has 0. Is the dump complete? If it is, lower --min-rows",
		},
		DocumentSize: {
			largest: Largest{Bytes: 1<<20 + 1, Document: "styles", ID: sql.IntID(7)},
			want:    "styles 7 has 1,048,577 bytes, more than 1MiB. Look at its rows, or raise --max-document",
		},
		FewerRows: {
			before: []source.Counts{{File: "a.csv", Read: 12_223}},
			want: "files have over 10% fewer rows than in the last published run: a.csv has 11,000 instead of 12,223. Is the dump complete? " +
				"If it is, raise --max-fewer-rows",
		},
	} {
		if c.counts == nil {
			c.counts = []source.Counts{good}
		}
		err := Failed(Evaluate(&standard, c.counts, c.before, c.cut, publish.Changes{Items: c.items}, c.largest))
		want := "nothing is published, because a gate failed; the live version is unchanged\n  " + string(gate) + ": " + c.want +
			", or pass --accept " + string(gate)
		if err == nil {
			t.Errorf("%s has passed", gate)
		} else if diff := cmp.Diff(want, err.Error()); diff != "" {
			t.Errorf("%s: want (-), got (+)\n%s", gate, diff)
		}
	}
}

func TestFewerRows(t *testing.T) {
	counts := func(pairs ...any) (all []source.Counts) {
		for i := 0; i < len(pairs); i += 3 {
			all = append(all, source.Counts{Source: pairs[i].(string), File: pairs[i+1].(string), Read: int64(pairs[i+2].(int))})
		}
		return all
	}
	for _, test := range []struct {
		name        string
		now, before []source.Counts
		most        Percent
		want        []string
	}{
		{"the same", counts("a", "a.csv", 10), counts("a", "a.csv", 10), 0, nil},
		{"at the limit", counts("a", "a.csv", 90), counts("a", "a.csv", 100), 10, nil},
		{"beyond", counts("a", "a.csv", 89), counts("a", "a.csv", 100), 11, []string{"a.csv has 89 instead of 100"}},
		{"more rows", counts("a", "a.csv", 100), counts("a", "a.csv", 10), 0, nil},
		{"no rows", counts("a", "a.csv", 0), counts("a", "a.csv", 4000), 100, []string{"a.csv has 0 instead of 4,000"}},
		{"no rows before", counts("a", "a.csv", 0), counts("a", "a.csv", 0), 0, nil},
		{"a new source", counts("b", "b.csv", 1), counts("a", "a.csv", 100), 0, nil},
		{"another file of the source", counts("a", "b.csv", 50), counts("a", "a.csv", 100), 50, []string{"b.csv has 50 instead of 100"}},
		{"an earlier build", counts("a", "a.csv", 50), counts("", "a.csv", 100), 50, []string{"a.csv has 50 instead of 100"}},
		{
			"two sources of a file", counts("a", "a.csv", 5, "b", "a.csv", 50), counts("a", "a.csv", 5, "b", "a.csv", 100), 50,
			[]string{"a.csv (b) has 50 instead of 100"},
		},
	} {
		if most, got := shrunkFiles(10, test.now, test.before); most != test.most || !cmp.Equal(got, test.want) {
			t.Errorf("%s: %v, %q, want %v, %q", test.name, most, got, test.most, test.want)
		}
	}
}
