package report

import (
	"fmt"
	"slices"
	"strings"

	"github.com/dustin/go-humanize/english"
)

// Names of the parts of the page, in their order.
const (
	PartOrigin        = "origin"
	PartOverview      = "overview" // the chart of the primary number
	PartRungs         = "rungs"
	PartProcessorTime = "processor time"
	PartRates         = "rates"
	PartLatencies     = "latencies"
	PartCharts        = "charts"
)

// Parts returns the parts of the page by name, without headings. A part is empty if nothing of it was measured.
func (r *Report) Parts(charts []Picture) map[string]string {
	parts := map[string]string{
		PartOrigin: r.origin(), PartRungs: r.Sentences(), PartProcessorTime: r.processorTimeTable(), PartRates: "", PartLatencies: "",
	}
	if r.Plan.PeakSeconds > 0 {
		parts[PartRates] = r.rateTable()
	}
	if len(r.Plan.Steps) > 0 {
		parts[PartLatencies] = r.latencyTable()
	}
	var first, others []string
	for _, picture := range charts {
		if picture.First {
			first = append(first, picture.HTML)
		} else {
			others = append(others, picture.HTML)
		}
	}
	parts[PartOverview], parts[PartCharts] = strings.Join(first, "\n"), strings.Join(others, "\n")
	return parts
}

// Markdown returns the parts as a page of its own.
func (r *Report) Markdown(charts []Picture) string {
	parts := r.Parts(charts)
	var text strings.Builder
	text.WriteString("# The ladder\n\n" + parts[PartOrigin] + "\n" + parts[PartOverview])
	for _, section := range []struct{ heading, part string }{
		{"What each rung bought", PartRungs},
		{"Processor time per request", PartProcessorTime},
		{"Requests per second", PartRates},
		{"Latency at constant rates", PartLatencies},
		{"Charts", PartCharts},
	} {
		if parts[section.part] != "" {
			text.WriteString("\n## " + section.heading + "\n\n" + parts[section.part])
		}
	}
	return text.String()
}

// origin describes the data, the machine and the checks.
func (r *Report) origin() string {
	verified := 0
	for i := range r.Rungs {
		verified += r.Rungs[i].Verified
	}
	text := fmt.Sprintf("%s products, %s, %s. %d × %s, %s, PostgreSQL %s. %s answers were compared with the published documents before the "+
		"rungs were measured, and %s meanwhile; all were equal.\n", number(float64(r.Products)), english.Plural(r.Rounds, "round", ""),
		r.Date, r.Machine.CPUs, r.Machine.CPU, r.Machine.Go, r.Machine.Postgres, number(float64(verified)), number(float64(r.checked())))
	if r.Rounds == 1 {
		text += "\n**A single round has no spread: it shows that the answers are equal, not how fast the rungs are.**\n"
	}
	return text
}

// checked returns the number of bodies that were compared during the measurements.
func (r *Report) checked() int {
	checked := 0
	for i := range r.Samples {
		if s := &r.Samples[i]; s.Endpoint == All || s.Kind == Peak {
			checked += s.Checked
		}
	}
	return checked
}

// processorTimeTable returns the table of the primary number.
func (r *Report) processorTimeTable() string {
	var text strings.Builder
	roles := r.roles()
	fmt.Fprintf(&text, "Microseconds per request in a closed loop of %d connections, Zipf traffic, all endpoints: "+
		"the median of all rounds, and their range. The load generator is not included.\n\n", r.Plan.Connections)
	header := []string{"rung", "in all"}
	header = append(header, roles...)
	writeHeader(&text, header)
	for i := range r.Rungs {
		rung := &r.Rungs[i]
		w := rung.Find(Peak, Zipf, All, 0)
		if w == nil {
			continue
		}
		cells := []string{rung.cell(), spread(w.Total)}
		for _, role := range roles {
			cells = append(cells, spread(w.CPU[role]))
		}
		writeRow(&text, cells)
	}
	return text.String()
}

// rateTable returns the table of the closed loops.
func (r *Report) rateTable() string {
	var text strings.Builder
	fmt.Fprintf(&text, "A closed loop of %d connections: each sends the next request when it has a response. "+
		"Hot traffic is for %s products, each with the same probability; Zipf and uniform traffic for all. "+
		"Single endpoints get Zipf traffic.\n\n", r.Plan.Connections, number(float64(r.Plan.Hot)))
	writeHeader(&text, append([]string{"rung", Hot, Zipf, Uniform}, endpoints...))
	for i := range r.Rungs {
		rung := &r.Rungs[i]
		cells := []string{rung.cell()}
		for _, kind := range []string{Hot, Zipf, Uniform} {
			cells = append(cells, rung.peak(kind, All))
		}
		for _, endpoint := range endpoints {
			cells = append(cells, rung.peak(Zipf, endpoint))
		}
		writeRow(&text, cells)
	}
	return text.String()
}

// peak formats the rate of a closed loop. Errors are added if there were any.
func (r *Rung) peak(kind, endpoint string) string {
	w := r.Find(Peak, kind, endpoint, 0)
	if w == nil {
		return ""
	}
	if w.Errors.Max > 0 {
		return fmt.Sprintf("%s, %s %% errors", spread(w.Rate), number(100*w.Errors.Median))
	}
	return spread(w.Rate)
}

// latencyTable returns the table of the constant rates.
func (r *Report) latencyTable() string {
	var text strings.Builder
	fmt.Fprintf(&text, "p50 / p99 in milliseconds, from when a request was due; Zipf traffic, all endpoints; the medians of "+
		"all rounds. A rung has fallen over if p99 is above %s ms, if more than %g %% of the requests fail, or if less than %g %% have a response "+
		"when the last one is due. Then the next rates are not offered.\n\n", number(MostP99), 100*MostErrors, 100*LeastDone)
	header := []string{"rung"}
	for _, rate := range r.Plan.Steps {
		header = append(header, number(rate)+"/s")
	}
	writeHeader(&text, append(header, "fell over at"))
	for i := range r.Rungs {
		rung := &r.Rungs[i]
		cells := []string{rung.cell()}
		for _, rate := range r.Plan.Steps {
			cell := ""
			if w := rung.Find(Step, Zipf, All, rate); w != nil {
				cell = number(w.P50.Median) + " / " + number(w.P99.Median)
				if w.Errors.Median > 0 {
					cell += fmt.Sprintf(", %s %% errors", number(100*w.Errors.Median))
				}
			}
			cells = append(cells, cell)
		}
		writeRow(&text, append(cells, rung.fall()))
	}
	return text.String()
}

// fall formats the rates at which the rung fell over.
func (r *Rung) fall() string {
	var rates []string
	for _, rate := range r.FellOver {
		one := "not"
		if rate > 0 {
			one = number(rate)
		}
		if !slices.Contains(rates, one) {
			rates = append(rates, one)
		}
	}
	return strings.Join(rates, ", ")
}

func writeHeader(text *strings.Builder, cells []string) {
	writeRow(text, cells)
	text.WriteString("|" + strings.Repeat(" --- |", len(cells)) + "\n")
}

func writeRow(text *strings.Builder, cells []string) {
	for _, cell := range cells {
		text.WriteString("| " + strings.ReplaceAll(cell, "|", `\|`) + " ")
	}
	text.WriteString("|\n")
}
