package report

import (
	"fmt"
	"slices"
	"strings"
)

// Sentences returns a line for each rung: what it bought against another, and where it fell over.
func (r *Report) Sentences() string {
	var text strings.Builder
	for i := range r.Rungs {
		fmt.Fprintf(&text, "- **%s** (`%s`): %s.\n", r.Rungs[i].Title, r.Rungs[i].Name, r.sentence(&r.Rungs[i]))
	}
	return text.String()
}

func (r *Report) sentence(rung *Rung) string {
	before := r.Find(rung.Before)
	var parts []string
	if w := rung.Find(Peak, Zipf, All, 0); w != nil {
		used := fmt.Sprintf("%s µs of processor time per request", number(w.Total.Median))
		rate := fmt.Sprintf("at most %s requests/s", number(w.Rate.Median))
		if before != nil {
			if b := before.Find(Peak, Zipf, All, 0); b != nil {
				used += fmt.Sprintf(", against %s of `%s`: %s", number(b.Total.Median), before.Name, change(b.Total, w.Total, r.Rounds))
				rate += fmt.Sprintf(", against %s: %s", number(b.Rate.Median), change(b.Rate, w.Rate, r.Rounds))
			}
		}
		parts = append(parts, used, rate)
		if w.Errors.Median > 0 {
			parts = append(parts, fmt.Sprintf("%s %% of those requests failed", number(100*w.Errors.Median)))
		}
	}
	if knee := rung.knee(r.Plan.Steps); knee != "" {
		parts = append(parts, knee)
	}
	if len(parts) == 0 {
		return "it was not measured"
	}
	return strings.Join(parts, "; ")
}

// change describes the change from one spread to another, in words. With a single round there is no spread to compare with.
func change(before, after Spread, rounds int) string {
	if before.Median == 0 {
		return "no comparison"
	}
	ratio := after.Median / before.Median
	percent := fmt.Sprintf("%+.0f %%", 100*(ratio-1))
	if ratio >= 2 {
		percent = fmt.Sprintf("%.1f times as much", ratio)
	}
	switch {
	case rounds > 1 && before.overlaps(after):
		return percent + ", no difference beyond the spread"
	case rounds == 1:
		return percent + ", of a single round"
	}
	return percent
}

// knee describes where the rung fell over. steps are the offered rates.
func (r *Rung) knee(steps []float64) string {
	if len(r.FellOver) == 0 {
		return ""
	}
	fell := slices.DeleteFunc(slices.Clone(r.FellOver), func(rate float64) bool { return rate == 0 })
	switch spread := spreadOf(fell); {
	case len(fell) == 0:
		return fmt.Sprintf("it held %s requests/s, the highest rate that was offered", number(steps[len(steps)-1]))
	case len(fell) < len(r.FellOver):
		return fmt.Sprintf("it fell over at %s requests/s in %d of %d rounds (%s)", number(spread.Min), len(fell), len(r.FellOver), r.Reason)
	case spread.Min < spread.Max:
		return fmt.Sprintf("it fell over at %s to %s requests/s (%s)", number(spread.Min), number(spread.Max), r.Reason)
	default:
		return fmt.Sprintf("it fell over at %s requests/s (%s)", number(spread.Min), r.Reason)
	}
}
