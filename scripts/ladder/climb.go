package main

import (
	"context"
	_ "embed"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"runtime/debug"
	"slices"
	"strings"
	"time"

	"github.com/dustin/go-humanize/english"

	"systemscale/scripts/ladder/report"
	"systemscale/scripts/ladder/rung"
	"systemscale/scripts/measure"
	"systemscale/scripts/measure/workspace"
	"systemscale/sql"
)

type climbCommand struct {
	workspace.Workspace
	Rungs  []string `placeholder:"NAME" help:"${rungs} Default: all."`
	Rounds int      `default:"0" placeholder:"N" help:"Rounds; each measures every rung once. Default: 3, with --quick 1."`
	Out    string   `placeholder:"DIR" help:"Directory for the report. Default: --work."`
	Full   bool     `xor:"size" help:"The full-size catalog, and no limit of time."`
	Quick  bool     `xor:"size" help:"${quick}"`
}

// Validate is called by kong.
func (c *climbCommand) Validate() error {
	if c.Products < 0 || c.Rounds < 0 {
		return errors.New("--products and --rounds must be at least 1")
	}
	return nil
}

// AfterApply is called by kong. It sets the flags that depend on others.
func (c *climbCommand) AfterApply() error {
	products, rounds := 100_000, 3
	switch {
	case c.Quick:
		products, rounds = 1000, 1
	case c.Full:
		products = 1_000_011
	}
	if c.Products == 0 {
		c.Products = products
	}
	if c.Rounds == 0 {
		c.Rounds = rounds
	}
	if c.Out == "" {
		c.Out = c.Work
	}
	return nil
}

// Run climbs the ladder and writes the report.
func (c *climbCommand) Run(ctx context.Context, stdout io.Writer) error {
	rungs, err := selected(rung.All(), c.Rungs)
	if err != nil {
		return err
	}
	plan := fit(len(rungs) * c.Rounds)
	switch {
	case c.Quick:
		plan = quickPlan()
	case c.Full:
		plan = fullPlan()
	}
	plan.Hot = min(plan.Hot, c.Products)
	machine, err := measure.DescribeMachine(ctx, c.Admin)
	if err != nil {
		return err
	}
	reference, err := c.prepare(ctx)
	if err != nil {
		return err
	}
	defer reference.close()
	l := &ladder{
		plan: plan, rungs: rungs, rounds: c.Rounds, reference: reference, traffic: newTraffic(c.Products, plan.Hot), out: os.Stderr,
		data: rung.Data{DatabaseURL: c.ETLURL(), CSV: c.CSV(), Products: c.Products, Directory: c.Work},
	}
	if err := l.climb(ctx); err != nil {
		return err
	}
	r := &report.Report{
		Date: time.Now().UTC().Format(time.RFC3339), Commit: commit(), Command: "ladder " + strings.Join(os.Args[1:], " "),
		Machine: machine, Products: c.Products, Rounds: c.Rounds, Plan: plan.Plan, Rungs: l.summary(), Samples: l.samples,
	}
	if err := write(r, c.Out); err != nil {
		return err
	}
	result := r.Sentences()
	if c.Quick {
		result = fmt.Sprintf("the answers of %s are equal to the published documents\n", english.Plural(len(rungs), "rung", ""))
	}
	_, err = fmt.Fprintf(stdout, "%s\nsaved in %s\n", result, c.Out)
	return err
}

// selected returns the rungs with the names or letters, or all if there are none.
func selected(all []rung.Rung, names []string) ([]rung.Rung, error) {
	if len(names) == 0 {
		return all, nil
	}
	var chosen []rung.Rung
	unknown := slices.Clone(names)
	for _, one := range all {
		if slices.Contains(names, one.Name) || slices.Contains(names, one.Letter) {
			chosen = append(chosen, one)
			unknown = slices.DeleteFunc(unknown, func(name string) bool { return name == one.Name || name == one.Letter })
		}
	}
	if len(unknown) > 0 {
		var known []string
		for _, one := range all {
			known = append(known, one.Name)
		}
		return nil, fmt.Errorf("no rung %s; the rungs are %s", strings.Join(unknown, ", "), strings.Join(known, ", "))
	}
	return chosen, nil
}

//go:embed query/vacuum.sql
var vacuum string

// prepare publishes the catalog, and loads the same rows into the normalized tables.
func (c *climbCommand) prepare(ctx context.Context) (*reference, error) {
	fmt.Fprintln(os.Stderr, "prepare the programs, the catalog and the database")
	if err := c.Prepare(ctx); err != nil {
		return nil, err
	}
	c.Out = absolute(c.Out, c.Work)
	if _, err := measure.Run(ctx, c.Program("etl"), "run", "--csv", c.CSV(), "--database", c.ETLURL(),
		"--accept", "rejects", "--rejects", c.Rejects()); err != nil {
		return nil, err
	}
	fmt.Fprintln(os.Stderr, "load the normalized tables")
	data := rung.Data{DatabaseURL: c.ETLURL(), CSV: c.CSV(), Products: c.Products, Directory: c.Work}
	if err := rung.Normalize(ctx, data); err != nil {
		return nil, fmt.Errorf("load the normalized tables: %w", err)
	}
	if err := c.vacuum(ctx); err != nil {
		return nil, err
	}
	if err := c.Checkpoint(ctx); err != nil {
		return nil, err
	}
	return openReference(ctx, c.ETLURL())
}

func (c *climbCommand) vacuum(ctx context.Context) error {
	conn, err := sql.Dial(ctx, c.ETLURL())
	if err != nil {
		return err
	}
	defer func() { _ = conn.Close(ctx) }()
	_, err = conn.Exec(ctx, vacuum)
	return err
}

// absolute returns the path unless it is the default, which is relative to another directory by now.
func absolute(path, fallback string) string {
	if got, err := filepath.Abs(path); err == nil && path != "" {
		return got
	}
	return fallback
}

// commit returns the commit that this program was built from, or "" if it is not known.
func commit() string {
	info, _ := debug.ReadBuildInfo()
	if info == nil {
		return ""
	}
	settings := map[string]string{}
	for _, setting := range info.Settings {
		settings[setting.Key] = setting.Value
	}
	revision := settings["vcs.revision"]
	if settings["vcs.modified"] == "true" {
		revision += " (changed)"
	}
	return revision
}
