package main

import (
	"context"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/goccy/go-json"
	"github.com/jackc/pgx/v5"
)

// report is what one benchmark found.
type report struct {
	Name         string        `json:"name"`
	Date         string        `json:"date"`
	Command      string        `json:"command"`
	Machine      machine       `json:"machine"`
	Products     int           `json:"products"`
	Rounds       int           `json:"rounds"`
	Measurements []measurement `json:"measurements"`
	Targets      []target      `json:"targets"`
}

type machine struct {
	CPUs     int    `json:"cpus"`
	CPU      string `json:"cpu"`
	Go       string `json:"go"`
	Postgres string `json:"postgres"`
}

// measurement is one number with what every round gave. Value is their median.
type measurement struct {
	Name   string    `json:"name"`
	Unit   string    `json:"unit"`
	Value  float64   `json:"value"`
	Rounds []float64 `json:"rounds"`
}

// target is a number that is to be reached.
type target struct {
	Name    string  `json:"name"`
	Value   float64 `json:"value"`
	Want    string  `json:"want"`
	Reached bool    `json:"reached"`
}

func newReport(ctx context.Context, name string, w *workplace, rounds int) (*report, error) {
	conn, err := pgx.Connect(ctx, w.Admin)
	if err != nil {
		return nil, err
	}
	defer func() { _ = conn.Close(ctx) }()
	r := &report{
		Name: name, Date: time.Now().UTC().Format(time.RFC3339), Command: "bench " + strings.Join(os.Args[1:], " "), Products: w.Products, Rounds: rounds,
		Machine: machine{CPUs: runtime.NumCPU(), CPU: cpuModel(), Go: runtime.Version()},
	}
	return r, conn.QueryRow(ctx, "show server_version").Scan(&r.Machine.Postgres)
}

func cpuModel() string {
	text, err := os.ReadFile("/proc/cpuinfo")
	if err != nil {
		return runtime.GOARCH
	}
	for line := range strings.Lines(string(text)) {
		if name, value, found := strings.Cut(line, ":"); found && strings.TrimSpace(name) == "model name" {
			return strings.TrimSpace(value)
		}
	}
	return runtime.GOARCH
}

// add notes what the rounds gave and returns their median.
func (r *report) add(name, unit string, rounds ...float64) float64 {
	sorted := slices.Sorted(slices.Values(rounds))
	median := sorted[len(sorted)/2]
	if len(sorted)%2 == 0 {
		median = (median + sorted[len(sorted)/2-1]) / 2
	}
	r.Measurements = append(r.Measurements, measurement{name, unit, median, rounds})
	return median
}

func (r *report) atMost(name string, value, most float64) {
	r.Targets = append(r.Targets, target{name, value, fmt.Sprintf("≤ %g", most), value <= most})
}

func (r *report) atLeast(name string, value, least float64) {
	r.Targets = append(r.Targets, target{name, value, fmt.Sprintf("≥ %g", least), value >= least})
}

// write prints the report and saves it. A target that is missed is no error: the report says so.
func (r *report) write(w io.Writer, directory string) error {
	fmt.Fprintf(w, "\n%s: %d products, %s\n%d × %s, %s, PostgreSQL %s\n\n", r.Name, r.Products, r.Date, r.Machine.CPUs, r.Machine.CPU, r.Machine.Go, r.Machine.Postgres)
	table := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	fmt.Fprintf(table, "measured\tmedian\tunit\trounds\n")
	for _, m := range r.Measurements {
		rounds := make([]string, len(m.Rounds))
		for i, value := range m.Rounds {
			rounds[i] = number(value)
		}
		fmt.Fprintf(table, "%s\t%s\t%s\t%s\n", m.Name, number(m.Value), m.Unit, strings.Join(rounds, "  "))
	}
	fmt.Fprintf(table, "\t\t\t\ntarget\tmeasured\twanted\t\n")
	for _, t := range r.Targets {
		verdict := "reached"
		if !t.Reached {
			verdict = "MISSED"
		}
		fmt.Fprintf(table, "%s\t%s\t%s\t%s\n", t.Name, number(t.Value), t.Want, verdict)
	}
	if err := table.Flush(); err != nil {
		return err
	}
	text, err := json.MarshalIndent(r, "", "  ")
	if err != nil {
		return err
	}
	path := filepath.Join(directory, r.Name+".json")
	if err := os.WriteFile(path, append(text, '\n'), 0o644); err != nil {
		return err
	}
	_, err = fmt.Fprintf(w, "\nsaved as %s\n", path)
	return err
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
