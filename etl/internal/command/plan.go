package command

import (
	"context"
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/dustin/go-humanize"
	"github.com/dustin/go-humanize/english"
	"github.com/goccy/go-json"

	"systemscale/etl/internal/dump"
	"systemscale/etl/internal/plan"
	"systemscale/etl/internal/publish"
	"systemscale/etl/internal/source"
)

// planFlags are for the commands that compare the files with the published version.
type planFlags struct {
	Database  databaseFlags  `embed:""`
	Files     fileFlags      `embed:""`
	Temporary temporaryFlags `embed:""`
	Gates     plan.Limits    `embed:""`
}

// options returns the options of the dump.
func (f *planFlags) options(out *output) dump.Options {
	options := f.Files.options(out)
	options.Temp = f.Temporary.Temp
	options.Accepts = func(kind source.Kind) bool { return f.Gates.Accepts(plan.Gate(kind)) }
	if !f.Gates.Accepts(plan.DocumentSize) {
		options.MaxDocument = int64(f.Gates.MaxDocument)
	}
	return options
}

type planCommand struct {
	Compare planFlags `embed:""`
	JSON    bool      `name:"json" help:"Write the plan as one JSON object."`
	Samples int       `default:"3" placeholder:"N" help:"Changed documents and addresses to show of each endpoint. Default: ${default}."`
}

func (c *planCommand) Help() string {
	return `Reads all files once, renders every document, and shows how they differ from what is published: how many, which fields of the first
ones, which URLs, and which gates would fail. It writes nothing, and may be used during a run.

Exit code: 0 nothing would change, 10 something would, 3 or 20 to 27 a gate would fail.

Example:
  etl plan --csv ./dump
  etl plan --csv ./dump --json | jq .documents`
}

// Run shows the plan. The error is a codeError with its result.
func (c *planCommand) Run(ctx context.Context, out *output) error {
	began := time.Now()
	done, err := c.Compare.Files.spool(ctx, c.Compare.Temporary.Temp)
	if err != nil {
		return err
	}
	defer done()
	d, err := dump.Open(ctx, c.Compare.options(out))
	if err != nil {
		return err
	}
	defer d.Close()
	var p *plan.Plan
	var rejects *source.FirstRejects
	err = d.Arranged(ctx, func(d *dump.Dump) (err error) {
		rejects = &source.FirstRejects{}
		p, err = c.plan(ctx, out, d, rejects)
		return err
	})
	if err != nil {
		return gateError(err)
	}
	if c.JSON {
		encoder := json.NewEncoder(out.stdout)
		encoder.SetEscapeHTML(false)
		encoder.SetIndent("", "  ")
		if err := encoder.Encode(p); err != nil {
			return fmt.Errorf("write the plan: %w", err)
		}
	} else {
		writePlan(out.stdout, p, rejects.First(), time.Since(began))
	}
	switch failed := plan.Failed(p.Gates); {
	case failed != nil:
		return codeError{exitCode(failed)}
	case p.Differing() > 0:
		return codeError{exitChanges}
	}
	return nil
}

// plan is one attempt.
func (c *planCommand) plan(ctx context.Context, out *output, d *dump.Dump, rejects source.Sink) (*plan.Plan, error) {
	comparison, err := publish.Compare(ctx, c.Compare.Database.URL, d.Spec().Collection, d.Spec().Published())
	if err != nil {
		return nil, err
	}
	defer comparison.Close()
	survey := plan.NewSurvey(d.Spec(), comparison, nil, c.Samples)
	progress := newProgress(out.stderr, d.Size(), "compare")
	err = d.Pass(ctx, dump.Handlers{Document: survey.Take, Etags: comparison.Etags(), Rejects: rejects, Tick: func() { progress.at(d.Position()) }})
	progress.finish(err)
	if err != nil {
		return nil, err
	}
	d.WarnOfWide()
	if err := survey.Finish(); err != nil {
		return nil, err
	}
	last := comparison.LastRun()
	return plan.New(survey, &c.Compare.Gates, d.Counts(), d.CutFiles(last.Run, last.Sources))
}

// writePlan writes the plan for people.
func writePlan(w io.Writer, p *plan.Plan, rejects []string, took time.Duration) {
	reasons := writeSources(w, p.Sources)
	table := [][]string{{"document", "added", "changed", "removed", "unchanged", "urls", "at"}}
	for _, d := range p.Documents {
		at := d.URLs.Template
		if at == "" {
			at = "(no longer in the shape)"
		}
		table = append(table, []string{
			d.Name, humanize.Comma(d.Added), humanize.Comma(d.Changed), humanize.Comma(d.Removed), humanize.Comma(d.Unchanged),
			humanize.Comma(d.URLs.Count), at,
		})
	}
	fmt.Fprintln(w)
	writeTable(w, table)
	if len(reasons) > 0 {
		fmt.Fprintf(w, "\n%s\n", strings.Join(reasons, "\n"))
	}
	if len(rejects) > 0 {
		fmt.Fprintf(w, "\nThe first rejected rows:\n  %s\n", strings.Join(rejects, "\n  "))
	}
	for i := range p.Documents {
		writeDifferences(w, &p.Documents[i])
	}
	writeBreakingChanges(w, p.BreakingChanges)
	writeGates(w, p.Gates)
	compared := "nothing is published yet"
	if p.Live != 0 {
		compared = fmt.Sprintf("compared with version %d", p.Live)
	}
	fmt.Fprintf(w, "\n%s: %s %s, %s. Nothing was written. %.1f s\n", p.Collection,
		plural(p.Differing(), "document"), english.PluralWord(int(p.Differing()), "differs", "differ"), compared, took.Seconds())
}
