package main

import (
	"fmt"
	"io"
	"os"
	"path/filepath"

	"systemscale/scripts/ladder/report"
)

type reportCommand struct {
	File string `arg:"" placeholder:"FILE" help:"The ladder.json of the climb."`
	Out  string `placeholder:"DIR" help:"Directory for the tables and charts. Default: that of the file."`
}

// Run writes the report of an earlier climb again.
func (c *reportCommand) Run(stdout io.Writer) error {
	r, err := report.Read(c.File)
	if err != nil {
		return err
	}
	if c.Out == "" {
		c.Out = filepath.Dir(c.File)
	}
	return write(r, c.Out, stdout)
}

// write writes ladder.json, ladder.md and the charts into a directory, and prints the summary.
func write(r *report.Report, directory string, stdout io.Writer) error {
	if err := os.MkdirAll(directory, 0o755); err != nil {
		return err
	}
	r.Summarize()
	if err := r.Write(filepath.Join(directory, "ladder.json")); err != nil {
		return err
	}
	charts, err := r.WriteCharts(directory)
	if err != nil {
		return err
	}
	text := r.Markdown(charts)
	if err := os.WriteFile(filepath.Join(directory, "ladder.md"), []byte(text), 0o644); err != nil {
		return err
	}
	_, err = fmt.Fprintf(stdout, "%s\nsaved as ladder.json, ladder.md and %d charts in %s\n", r.Sentences(), len(charts), directory)
	return err
}
