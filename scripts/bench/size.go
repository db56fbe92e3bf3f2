package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"systemscale/infra/process"
	"systemscale/scripts/growth/size"
	"systemscale/scripts/measure"
	"systemscale/scripts/measure/workspace"
	"systemscale/sql"
)

type sizeCommand struct {
	Sizes   []int  `default:"10000,100000,1000000,3000000" placeholder:"N,..." help:"${sizes} Default: ${default}."`
	Rounds  int    `default:"3" help:"Measurements of lookups for each size. Default: ${default}."`
	Lookups int    `default:"60000" placeholder:"N" help:"Requests of each. Default: ${default}."`
	Work    string `default:".run/size" placeholder:"DIR" help:"${size_work} Default: ${default}."`
	Admin   string `env:"TEST_DATABASE_URL" required:"" placeholder:"URL" help:"${admin}"`
}

// Validate is called by kong.
func (c *sizeCommand) Validate() error {
	if !slices.IsSorted(c.Sizes) || c.Sizes[0] < 1000 || c.Rounds < 1 || c.Lookups < 1 {
		return errors.New("--sizes must be ascending and at least 1000, and --rounds and --lookups at least 1")
	}
	return nil
}

// Run measures one size after the other, and writes size.json. A cost that grows faster than it may is not an error.
func (c *sizeCommand) Run(ctx context.Context, stdout io.Writer) error {
	machine, err := measure.DescribeMachine(ctx, c.Admin)
	if err != nil {
		return err
	}
	r := size.Report{Date: time.Now().UTC().Format(time.RFC3339), Command: "bench " + strings.Join(os.Args[1:], " "), Machine: machine}
	for _, products := range c.Sizes {
		one, err := c.measure(ctx, products)
		if err != nil {
			return fmt.Errorf("%d products: %w", products, err)
		}
		r.Sizes = append(r.Sizes, one)
	}
	r.Grow()
	for _, check := range r.Checks {
		fmt.Fprintln(stdout, check)
	}
	path := filepath.Join(c.Work, "size.json")
	if err := r.Write(path); err != nil {
		return err
	}
	_, err = fmt.Fprintf(stdout, "\nsaved as %s\n", path)
	return err
}

// measure measures one size and removes its catalog.
func (c *sizeCommand) measure(ctx context.Context, products int) (one size.Size, err error) {
	e := &etlCommand{Workspace: workspace.Workspace{Products: products, Work: c.Work, Admin: c.Admin}, Streams: 2}
	if err := e.Prepare(ctx); err != nil {
		return one, err
	}
	catalogs := []string{e.CSV()}
	defer func() {
		for _, catalog := range catalogs {
			err = errors.Join(err, os.RemoveAll(catalog), os.RemoveAll(catalog+".made-by"))
		}
	}()
	changed, err := e.Generate(ctx, "changed", append(slices.Clip(workspace.Spoiled), "--change", fmt.Sprint(nightlyChange))...)
	catalogs = append(catalogs, changed)
	if err != nil {
		return one, err
	}
	one.Products = products
	if one.Rows, one.CSVBytes, err = sizeOf(e.CSV()); err != nil {
		return one, err
	}
	if err := c.steps(ctx, e, changed, &one); err != nil {
		return one, err
	}
	postgres, err := postgresProcess(ctx, e.Admin)
	if err != nil {
		return one, err
	}
	if one.Lookup, err = measureLookups(ctx, &e.Workspace, postgres["postgres"], c.Rounds, c.Lookups); err != nil {
		return one, err
	}
	return one, readTables(ctx, &e.Workspace, &one)
}

// steps measures the runs of the ETL.
func (c *sizeCommand) steps(ctx context.Context, e *etlCommand, changed string, one *size.Size) error {
	publish := func(csv string) func() (measure.Cost, error) {
		return func() (measure.Cost, error) {
			took, _, err := e.publish(ctx, csv)
			return took, err
		}
	}
	for _, step := range []struct {
		name string
		into *size.Step
		run  func() (measure.Cost, error)
	}{
		{"load", &one.Load, publish(e.CSV())},
		{"plan", &one.Plan, func() (measure.Cost, error) { return e.plan(ctx, e.CSV()) }},
		{"delta", &one.Delta, publish(changed)},
	} {
		// The writes of the step before are not part of this one.
		if err := e.Checkpoint(ctx); err != nil {
			return err
		}
		roles, err := postgresProcess(ctx, e.Admin)
		if err != nil {
			return err
		}
		before := measure.ReadUsage(roles)
		took, err := step.run()
		if err != nil {
			return fmt.Errorf("%s: %w", step.name, err)
		}
		used := measure.ReadUsage(roles).Since(before)
		*step.into = size.Step{Wall: took.Wall.Seconds(), CPU: took.CPU.Seconds(), Postgres: used["postgres"].Seconds(), Memory: took.Memory}
		fmt.Fprintf(os.Stderr, "%d products, %s: %.2f s, processor time %.2f s and %.2f s of PostgreSQL, %.0f MiB\n",
			one.Products, step.name, took.Wall.Seconds(), took.CPU.Seconds(), used["postgres"].Seconds(), took.Mebibytes())
	}
	return nil
}

// postgresProcess returns the process of the server at the URL, as the role postgres.
func postgresProcess(ctx context.Context, databaseURL string) (map[string][]int, error) {
	conn, err := sql.Dial(ctx, databaseURL)
	if err != nil {
		return nil, err
	}
	defer func() { _ = conn.Close(ctx) }()
	return map[string][]int{"postgres": {process.Parent(int(conn.PgConn().PID()))}}, nil
}

// sizeOf returns the rows and bytes of a generated catalog.
func sizeOf(csv string) (rows, bytes int64, err error) {
	generated, err := workspace.ReadGenerated(csv)
	for _, file := range generated.Files {
		rows, bytes = rows+file.Rows, bytes+file.Bytes
	}
	return rows, bytes, err
}
