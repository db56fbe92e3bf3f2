package command

import (
	"context"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/dustin/go-humanize"
	"github.com/goccy/go-json"

	"systemscale/etl/internal/publish"
	"systemscale/etl/internal/source"
)

type historyCommand struct {
	Database   databaseFlags `embed:""`
	Collection string        `default:"products" placeholder:"NAME" help:"Collection whose runs to list. Default: ${default}."`
	JSON       bool          `name:"json" help:"Write the runs as one JSON array, with sources, gates and errors."`
	Limit      int           `default:"20" placeholder:"N" help:"Runs to list, the newest first. Default: ${default}."`
}

func (c *historyCommand) Help() string {
	return `Lists the runs of a collection: start, duration, mode, result and changes. "live" marks the version that is served, and "kept" the
versions that etl rollback can return to.

Example:
  etl history
  etl history --json --limit 1 | jq '.[0].sources'`
}

// Validate is called by kong after parsing.
func (c *historyCommand) Validate() error {
	if c.Limit < 1 {
		return fmt.Errorf("--limit must be at least 1, not %d", c.Limit)
	}
	return nil
}

// Run lists the runs.
func (c *historyCommand) Run(ctx context.Context, out *output) error {
	runs, err := publish.History(ctx, c.Database.URL, c.Collection, c.Limit)
	if err != nil {
		return err
	}
	if c.JSON {
		encoder := json.NewEncoder(out.stdout)
		encoder.SetEscapeHTML(false)
		encoder.SetIndent("", "  ")
		return encoder.Encode(runs)
	}
	if len(runs) == 0 {
		fmt.Fprintf(out.stdout, "No run of %s yet.\n", c.Collection)
		return nil
	}
	table := [][]string{{"run", "started", "took", "state", "mode", "gates", "read", "rejected", "added", "changed", "removed", "at"}}
	for _, r := range runs {
		row, err := historyRow(r)
		if err != nil {
			return err
		}
		table = append(table, row)
	}
	writeTable(out.stdout, table)
	for _, r := range runs {
		if r.Error != nil {
			fmt.Fprintf(out.stdout, "\nrun %d: %s\n", r.Run, *r.Error)
		}
	}
	hold, err := publish.ReadHold(ctx, c.Database.URL, c.Collection)
	if err == nil && hold != nil {
		fmt.Fprintf(out.stdout, "\n%s is on hold since %s, by %s: %s\n", c.Collection, hold.Since.Format(time.RFC3339), hold.Author, hold.Reason)
	}
	return err
}

func historyRow(r publish.PastRun) ([]string, error) {
	const unknown = "-"
	took, verdict, read, rejected := unknown, unknown, unknown, unknown
	if r.FinishedAt != nil {
		took = fmt.Sprintf("%.1f s", r.FinishedAt.Sub(r.StartedAt).Seconds())
	}
	if r.Verdict != nil {
		verdict = *r.Verdict
	}
	var sources []source.Counts
	if err := json.Unmarshal(r.Sources, &sources); err != nil {
		return nil, fmt.Errorf("read the sources of run %d: %w", r.Run, err)
	}
	if len(sources) > 0 {
		var rows, refused int64
		for _, s := range sources {
			rows += s.Read
			refused += source.Sum(s.Rejected)
		}
		read, rejected = humanize.Comma(rows), humanize.Comma(refused)
	}
	added, changed, removed := unknown, unknown, unknown
	if r.Plan != nil {
		var all publish.Counts
		for _, d := range r.Plan.Endpoints {
			all.Added += d.Added
			all.Changed += d.Changed
			all.Removed += d.Removed
		}
		added, changed, removed = humanize.Comma(all.Added), humanize.Comma(all.Changed), humanize.Comma(all.Removed)
	}
	var marks []string
	switch {
	case r.Live:
		marks = append(marks, "live")
	case r.Retained:
		marks = append(marks, "kept")
	}
	return []string{
		strconv.FormatInt(r.Run, 10), r.StartedAt.Local().Format(time.DateTime), took, r.State, string(r.Mode), verdict,
		read, rejected, added, changed, removed, strings.Join(marks, " "),
	}, nil
}
