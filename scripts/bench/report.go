package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"text/tabwriter"
	"time"

	"systemscale/scripts/measure"
	"systemscale/scripts/measure/load"
	"systemscale/scripts/measure/workspace"
)

// report is the result of one benchmark.
type report struct {
	Name         string          `json:"name"`
	Date         string          `json:"date"`
	Command      string          `json:"command"`
	Machine      measure.Machine `json:"machine"`
	Products     int             `json:"products"`
	Rounds       int             `json:"rounds"`
	Loads        []*loads        `json:"loads,omitempty"`
	Measurements []measurement   `json:"measurements"`
	Targets      []target        `json:"targets"`
	Failures     []failure       `json:"failures,omitempty"`
}

// loads contains the loads of one subject in each round, and their medians. Latencies are milliseconds.
type loads struct {
	Name        string      `json:"name"`
	Connections int         `json:"connections"`
	Rate        float64     `json:"rate"`
	P50         float64     `json:"p50"`
	P99         float64     `json:"p99"`
	P999        float64     `json:"p999"`
	FromCache   float64     `json:"from_cache,omitempty"`
	Allocations float64     `json:"allocations,omitempty"`
	Allocated   float64     `json:"allocated_bytes,omitempty"`
	Rounds      []load.Load `json:"rounds"`

	CPU map[string]float64 `json:"cpu,omitempty"` // microseconds of processor time per request, by program
}

// failure is a subject whose measurement failed.
type failure struct {
	Name        string `json:"name"`
	Connections int    `json:"connections"`
	Error       string `json:"error"`
}

// measurement is a number that was measured in each round. Value is the median.
type measurement struct {
	Name   string    `json:"name"`
	Unit   string    `json:"unit"`
	Value  float64   `json:"value"`
	Rounds []float64 `json:"rounds"`
}

// target is the required range of a number.
type target struct {
	Name    string  `json:"name"`
	Value   float64 `json:"value"`
	Want    string  `json:"want"`
	Reached bool    `json:"reached"`
}

func newReport(ctx context.Context, name string, w *workspace.Workspace, rounds int) (*report, error) {
	machine, err := measure.DescribeMachine(ctx, w.Admin)
	if err != nil {
		return nil, err
	}
	return &report{
		Name: name, Date: time.Now().UTC().Format(time.RFC3339), Command: "bench " + strings.Join(os.Args[1:], " "),
		Products: w.Products, Rounds: rounds, Machine: machine,
	}, nil
}

// add adds a measurement with the values of all rounds, and returns their median.
func (r *report) add(name, unit string, rounds ...float64) float64 {
	middle := measure.Median(rounds)
	r.Measurements = append(r.Measurements, measurement{name, unit, middle, rounds})
	return middle
}

// addLoad adds the load of one round and updates the medians.
func (r *report) addLoad(name string, connections int, got load.Load) {
	l := r.load(name, connections)
	if l == nil {
		l = &loads{Name: name, Connections: connections}
		r.Loads = append(r.Loads, l)
	}
	l.Rounds = append(l.Rounds, got)
	medianOf := func(value func(load.Load) float64) float64 {
		values := make([]float64, len(l.Rounds))
		for i, round := range l.Rounds {
			values[i] = value(round)
		}
		return measure.Median(values)
	}
	l.Rate = medianOf(load.Load.Rate)
	l.P50 = medianOf(func(one load.Load) float64 { return float64(one.P50) / 1e3 })
	l.P99 = medianOf(func(one load.Load) float64 { return float64(one.P99) / 1e3 })
	l.P999 = medianOf(func(one load.Load) float64 { return float64(one.P999) / 1e3 })
	l.FromCache = medianOf(load.Load.FromCache)
	l.Allocations = medianOf(func(one load.Load) float64 { return one.Allocations })
	l.Allocated = medianOf(func(one load.Load) float64 { return one.Allocated })
	l.CPU = map[string]float64{}
	for program := range got.CPU {
		l.CPU[program] = medianOf(func(one load.Load) float64 { return one.CPU[program] })
	}
}

// load returns the loads of a subject, or nil if there are none or if the subject failed in some round.
func (r *report) load(name string, connections int) *loads {
	if r.failed(name, connections) {
		return nil
	}
	for _, l := range r.Loads {
		if l.Name == name && l.Connections == connections {
			return l
		}
	}
	return nil
}

func (r *report) failed(name string, connections int) bool {
	return slices.ContainsFunc(r.Failures, func(f failure) bool { return f.Name == name && f.Connections == connections })
}

func (r *report) atMost(name string, value, most float64) {
	r.Targets = append(r.Targets, target{name, value, fmt.Sprintf("≤ %g", most), value <= most})
}

func (r *report) atLeast(name string, value, least float64) {
	r.Targets = append(r.Targets, target{name, value, fmt.Sprintf("≥ %g", least), value >= least})
}

// missed adds a target whose number could not be measured.
func (r *report) missed(name, want string) {
	r.Targets = append(r.Targets, target{name, 0, want, false})
}

// write prints the report and saves it. It returns an error if a measurement failed; a missed target is not an error.
func (r *report) write(w io.Writer, directory string) error {
	if err := r.print(w); err != nil {
		return err
	}
	path := filepath.Join(directory, r.Name+".json")
	if err := measure.WriteJSON(path, r); err != nil {
		return err
	}
	if _, err := fmt.Fprintf(w, "\nsaved as %s\n", path); err != nil {
		return err
	}
	var errs []error
	for _, f := range r.Failures {
		errs = append(errs, fmt.Errorf("%s, %d connections: %s", f.Name, f.Connections, f.Error))
	}
	return errors.Join(errs...)
}

func (r *report) print(w io.Writer) error {
	fmt.Fprintf(w, "\n%s: %d products, %s\n%d × %s, %s, PostgreSQL %s\n\n", r.Name, r.Products, r.Date,
		r.Machine.CPUs, r.Machine.CPU, r.Machine.Go, r.Machine.Postgres)
	table := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	if len(r.Loads) > 0 {
		fmt.Fprint(table, "requests\tconnections\tper second\tp50, ms\tp99\tp99.9\tfrom cache\tallocations\tbytes\tµs of processor time per request\n")
	}
	for _, l := range r.Loads {
		fromCache := ""
		if l.FromCache > 0 {
			fromCache = fmt.Sprintf("%.1f %%", l.FromCache*100)
		}
		allocations, allocated := "", ""
		if l.Allocations > 0 {
			allocations, allocated = number(l.Allocations), number(l.Allocated)
		}
		fmt.Fprintf(table, "%s\t%d\t%s\t%s\t%s\t%s\t%s\t%s\t%s\t%s\n", l.Name, l.Connections, number(l.Rate),
			latency(l.P50), latency(l.P99), latency(l.P999), fromCache, allocations, allocated, processorTimes(l.CPU))
	}
	if len(r.Loads) > 0 {
		fmt.Fprintln(table)
	}
	fmt.Fprint(table, "measured\tmedian\tunit\trounds\n")
	for _, m := range r.Measurements {
		rounds := make([]string, len(m.Rounds))
		for i, value := range m.Rounds {
			rounds[i] = number(value)
		}
		fmt.Fprintf(table, "%s\t%s\t%s\t%s\n", m.Name, number(m.Value), m.Unit, strings.Join(rounds, "  "))
	}
	fmt.Fprint(table, "\t\t\t\ntarget\tmeasured\twanted\t\n")
	for _, t := range r.Targets {
		result := "reached"
		if !t.Reached {
			result = "MISSED"
		}
		fmt.Fprintf(table, "%s\t%s\t%s\t%s\n", t.Name, number(t.Value), t.Want, result)
	}
	return table.Flush()
}

// latency formats a latency, and returns "" for one that was not measured.
func latency(milliseconds float64) string {
	if milliseconds == 0 {
		return ""
	}
	return number(milliseconds)
}

// processorTimes formats the processor time of each program that used any for a request.
func processorTimes(used map[string]float64) string {
	var parts []string
	for _, name := range slices.Sorted(maps.Keys(used)) {
		if used[name] >= 0.05 {
			parts = append(parts, fmt.Sprintf("%s %.1f", name, used[name]))
		}
	}
	return strings.Join(parts, ", ")
}

func number(value float64) string {
	switch {
	case value >= 1000:
		return fmt.Sprintf("%.0f", value)
	case value >= 100:
		return fmt.Sprintf("%.1f", value)
	}
	return fmt.Sprintf("%.2f", value)
}
