package report

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"systemscale/scripts/measure"
)

// climbed returns a report of two rungs in two rounds.
func climbed() *Report {
	r := &Report{
		Date: "2026-01-02T03:04:05Z", Machine: measure.Machine{CPUs: 2, CPU: "a processor", Go: "go1.26", Postgres: "15"}, Products: 1000, Rounds: 2,
		Plan:  Plan{PeakSeconds: 1, Connections: 64, Steps: []float64{500, 1000, 2000}, StepSeconds: 1, Hot: 50},
		Rungs: []Rung{{Name: "joins", Title: "Joins", Letter: "a"}, {Name: "lookups", Title: "Look-ups", Letter: "e"}},
	}
	add := func(rung string, round int, kind, traffic, endpoint string, s Sample) {
		s.Rung, s.Round, s.Kind, s.Traffic, s.Endpoint = rung, round, kind, traffic, endpoint
		r.Samples = append(r.Samples, s)
	}
	for round := 1; round <= 2; round++ {
		noise := float64(round - 1)
		add("joins", round, Peak, Zipf, All, Sample{Rate: 1500 + 100*noise, CPU: map[string]float64{"plain": 100 + noise, "postgres": 900}})
		add("lookups", round, Peak, Zipf, All, Sample{Rate: 1550, CPU: map[string]float64{"plain": 60, "postgres": 40 + noise}})
		for _, endpoint := range append([]string{All}, endpoints...) {
			add("joins", round, Step, Zipf, endpoint, Sample{Offered: 500, P50: 1, P99: 5, Done: 1})
			add("joins", round, Step, Zipf, endpoint, Sample{Offered: 1000 * float64(round), P50: 400, P99: 1234, Done: 0.5})
			for _, rate := range r.Plan.Steps {
				add("lookups", round, Step, Zipf, endpoint, Sample{Offered: rate, P50: 1, P99: 2, Done: 1})
			}
		}
	}
	r.Summarize()
	return r
}

func TestSentences(t *testing.T) {
	want := "- **Joins** (`joins`): 1,001 µs of processor time per request; at most 1,550 requests/s; " +
		"it fell over at 1,000 to 2,000 requests/s (p99 was 1,234 ms).\n" +
		"- **Look-ups** (`lookups`): 101 µs of processor time per request, against 1,001 of `joins`: -90 %; " +
		"at most 1,550 requests/s, against 1,550: +0 %, no difference beyond the spread; " +
		"it held 2,000 requests/s, the highest rate that was offered.\n"
	if diff := cmp.Diff(want, climbed().Sentences()); diff != "" {
		t.Errorf("sentences (-want +got):\n%s", diff)
	}
}

func TestChanges(t *testing.T) {
	for _, test := range []struct {
		before, after Spread
		rounds        int
		want          string
	}{
		{Spread{90, 100, 110}, Spread{105, 120, 130}, 3, "+20 %, no difference beyond the spread"},
		{Spread{90, 100, 110}, Spread{111, 120, 130}, 3, "+20 %"},
		{Spread{90, 100, 110}, Spread{40, 50, 60}, 3, "-50 %"},
		{Spread{90, 100, 110}, Spread{250, 260, 270}, 3, "2.6 times as much"},
		{Spread{100, 100, 100}, Spread{50, 50, 50}, 1, "-50 %, of a single round"},
		{Spread{}, Spread{50, 50, 50}, 3, "no comparison"},
	} {
		if got := change(test.before, test.after, test.rounds); got != test.want {
			t.Errorf("from %v to %v: %s, want %s", test.before, test.after, got, test.want)
		}
	}
}

func TestFalls(t *testing.T) {
	for _, test := range []struct {
		sample Sample
		want   string
	}{
		{Sample{P99: 1000, Errors: 0.01, Done: 0.9}, ""},
		{Sample{P99: 1001, Done: 1}, "p99 was 1,001 ms"},
		{Sample{P99: 1, Errors: 0.02, Done: 1}, "2.0 % of the requests failed"},
		{Sample{P99: 1, Done: 0.8}, "only 80 % of the requests had a response when the last one was due"},
	} {
		if got, fell := test.sample.Fell(); got != test.want || fell != (test.want != "") {
			t.Errorf("%+v: %q, %v, want %q", test.sample, got, fell, test.want)
		}
	}
	steps := []float64{500, 1000, 2000}
	for _, test := range []struct {
		rates []float64
		want  string
	}{
		{nil, ""},
		{[]float64{0, 0}, "it held 2,000 requests/s, the highest rate that was offered"},
		{[]float64{0, 2000, 2000}, "it fell over at 2,000 requests/s in 2 of 3 rounds (why)"},
		{[]float64{1000, 1000}, "it fell over at 1,000 requests/s (why)"},
	} {
		if got := (&Rung{FellOver: test.rates, Reason: "why"}).knee(steps); got != test.want {
			t.Errorf("%v: %s, want %s", test.rates, got, test.want)
		}
	}
}

func TestSummaryIsTheMedianAndTheRangeOfAllRounds(t *testing.T) {
	r := climbed()
	w := r.Find("joins").Find(Peak, Zipf, All, 0)
	if w == nil || w.Total != (Spread{1000, 1000.5, 1001}) || w.CPU["postgres"] != (Spread{900, 900, 900}) {
		t.Errorf("%+v", w)
	}
	if got := r.Find("joins").FellOver; !cmp.Equal(got, []float64{1000, 2000}) {
		t.Errorf("joins fell over at %v", got)
	}
	if got := r.Find("lookups").Before; got != "joins" {
		t.Errorf("lookups are compared with %q", got)
	}
	if r.Find("other") != nil || r.Find("joins").Find(Peak, Hot, All, 0) != nil {
		t.Error("the report has what was not measured")
	}
}

func TestReportIsReadAsItWasWritten(t *testing.T) {
	directory := t.TempDir()
	r := climbed()
	path := filepath.Join(directory, "ladder.json")
	if err := r.Write(path); err != nil {
		t.Fatal(err)
	}
	got, err := Read(path)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(r, got); diff != "" {
		t.Errorf("report (-written +read):\n%s", diff)
	}
	if err := os.WriteFile(path, []byte("{"), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := Read(path); err == nil || !strings.Contains(err.Error(), path) {
		t.Errorf("a damaged report: %v", err)
	}
}

func TestMarkdownShowsEveryChart(t *testing.T) {
	directory := t.TempDir()
	r := climbed()
	if err := r.WriteCharts(directory); err != nil {
		t.Fatal(err)
	}
	pictures := r.Pictures("")
	page := r.Markdown(pictures)
	for _, picture := range pictures {
		for _, theme := range []string{"light", "dark"} {
			name := picture.Name + "-" + theme + ".svg"
			if info, err := os.Stat(filepath.Join(directory, name)); err != nil || info.Size() == 0 || !strings.Contains(page, `"`+name+`"`) {
				t.Errorf("%s is not shown, or %v", name, err)
			}
		}
	}
	if len(pictures) < 10 || !strings.Contains(page, "| a. Joins | 1.00 / 5.00 | 400 / 1,234 | 400 / 1,234 | 1,000, 2,000 |") ||
		!strings.Contains(page, "| a. Joins | 1,001 (1,000–1,001) | 101 (100–101) | 900 |") {
		t.Errorf("%d charts, and this page:\n%s", len(pictures), page)
	}
}

func TestAChartHasTheBestRungOfEachLetter(t *testing.T) {
	r := &Report{}
	for _, letter := range strings.Split("aabcdefghhi", "") {
		name := fmt.Sprint(letter, len(r.Rungs))
		rate := float64(100 - len(r.Rungs)) // so that the first of a letter is the best
		r.Rungs = append(r.Rungs, Rung{
			Name: name, Letter: letter, Windows: []Window{{Kind: Peak, Traffic: Zipf, Endpoint: All, Rate: Spread{rate, rate, rate}}},
		})
	}
	var got []string
	for _, rung := range r.best() {
		got = append(got, rung.Name)
	}
	if want := []string{"a0", "b2", "c3", "d4", "e5", "f6", "h8", "i10"}; !cmp.Equal(got, want) {
		t.Errorf("%q, want %q", got, want)
	}
}
