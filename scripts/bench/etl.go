package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strconv"

	"github.com/dustin/go-humanize/english"
	"github.com/jackc/pgx/v5"

	"systemscale/scripts/measure"
	"systemscale/scripts/measure/workspace"
	"systemscale/sql"
)

type etlCommand struct {
	workspace.Workspace
	Rounds    int       `default:"3" help:"Rounds; each measures everything once. Default: ${default}."`
	Streams   int       `default:"2" help:"COPY streams, of the ETL and of the bare COPY. Default: ${default}."`
	Crossover []float64 `placeholder:"PERCENT,..." help:"${crossover}"`
	Memory    []int     `placeholder:"N,..." help:"${memory}"`
	Variants  bool      `help:"${variants}"`
}

// nightlyChange is the share of products that change from one nightly run to the next.
const nightlyChange = 0.01

// Run runs the measurements that the flags select.
func (c *etlCommand) Run(ctx context.Context, stdout io.Writer) error {
	switch {
	case c.Variants && len(c.Crossover)+len(c.Memory) > 0, len(c.Crossover) > 0 && len(c.Memory) > 0:
		return errors.New("--crossover, --memory and --variants exclude each other")
	case c.Variants:
		return compareVariants(ctx, &c.Workspace, c.Rounds, stdout)
	case len(c.Crossover) > 0:
		return c.crossover(ctx, stdout)
	case len(c.Memory) > 0:
		return c.memory(ctx, stdout)
	}
	return c.all(ctx, stdout)
}

// etlRounds contains the results of the rounds, in seconds and MiB.
type etlRounds struct {
	render, renderCPU, bare, full, fullCPU, plan, nightly []float64
	fullMemory, planMemory, nightlyMemory                 []float64
	nightlyModes                                          map[string]int
	rejects                                               int // of the first load
}

// all measures in each round: rendering alone; the bare COPY of the finished documents; etl run, which does both and publishes the
// documents; etl plan without changes; and etl run with some changed products. After the rounds it measures the same job in SQL once.
func (c *etlCommand) all(ctx context.Context, stdout io.Writer) error {
	if err := c.Prepare(ctx); err != nil {
		return err
	}
	changed, err := c.Generate(ctx, "changed", append(slices.Clip(workspace.Spoiled), "--change", fmt.Sprint(nightlyChange))...)
	if err != nil {
		return err
	}
	r, err := newReport(ctx, "etl", &c.Workspace, c.Rounds)
	if err != nil {
		return err
	}
	documents := filepath.Join(c.Work, "documents")
	defer func() { _ = os.RemoveAll(documents) }()
	if _, err := measure.Run(ctx, c.Program("etl"), "render", "--csv", c.CSV(), "--out", documents); err != nil {
		return err
	}
	tables, err := readCopyFiles(documents)
	if err != nil {
		return err
	}
	// This is not measured: the first load of a new cluster creates the files of the write-ahead log, which later ones reuse.
	if _, err := bareCopy(ctx, c.ETLURL(), tables, c.Streams); err != nil {
		return fmt.Errorf("bare COPY: %w", err)
	}
	rounds := etlRounds{nightlyModes: map[string]int{}}
	for round := range c.Rounds {
		fmt.Fprintf(os.Stderr, "round %d of %d: ", round+1, c.Rounds)
		if err := c.round(ctx, &rounds, tables, changed); err != nil {
			return err
		}
	}
	fmt.Fprintf(stdout, "rejects: %s, exactly those that the generator spoiled\n", english.Plural(rounds.rejects, "row", ""))
	size, err := directorySize(c.CSV())
	if err != nil {
		return err
	}

	c.addTargets(r, &rounds, size)
	if err := c.againstSQL(ctx, r); err != nil {
		return fmt.Errorf("the same job in SQL: %w", err)
	}
	return r.write(stdout, c.Work)
}

// addTargets adds the measurements of the rounds and their targets. size is that of the CSV files in bytes.
func (c *etlCommand) addTargets(r *report, rounds *etlRounds, size float64) {
	streams := english.Plural(c.Streams, "stream", "")
	render := r.add("render alone, one core", "s", rounds.render...)
	r.add("render alone, processor time", "s", rounds.renderCPU...)
	speed := r.add("render alone", "MB of CSV/s", size/1e6/render)
	bare := r.add("bare binary COPY, "+streams, "s", rounds.bare...)
	full := r.add("etl run, first load, "+streams, "s", rounds.full...)
	r.add("etl run, processor time of etl", "s", rounds.fullCPU...)
	plan := r.add("etl plan, nothing changed", "s", rounds.plan...)
	nightlyName := fmt.Sprintf("etl run, %g %% of products changed%s", nightlyChange*100, modes(rounds.nightlyModes))
	nightly := r.add(nightlyName, "s", rounds.nightly...)
	peak := max(
		r.add("etl run, first load, peak memory", "MiB", rounds.fullMemory...),
		r.add("etl plan, peak memory", "MiB", rounds.planMemory...),
		r.add("etl run, nightly, peak memory", "MiB", rounds.nightlyMemory...))
	r.atMost("etl run / bare COPY", full/bare, 1.15)
	r.atMost("etl plan, nothing changed / render alone", plan/render, 1.5)
	r.atMost("etl run, nightly / etl plan", nightly/plan, 1.5)
	r.atLeast("scan, join, render, MB of CSV/s", speed, 800)
	r.atMost("peak memory, MiB", peak, 256)
}

// round measures everything once. The database is new, so that the full load is a first one, without a comparison.
func (c *etlCommand) round(ctx context.Context, rounds *etlRounds, tables []copyTable, changed string) error {
	fmt.Fprint(os.Stderr, "render")
	if err := workspace.Warm(c.CSV()); err != nil {
		return err
	}
	alone, err := measure.Run(ctx, c.Program("etl"), "render", "--csv", c.CSV())
	if err != nil {
		return err
	}
	rounds.render, rounds.renderCPU = append(rounds.render, alone.Wall.Seconds()), append(rounds.renderCPU, alone.CPU.Seconds())

	fmt.Fprintf(os.Stderr, " %.1f s, bare COPY", alone.Wall.Seconds())
	if err := c.CreateMigrated(ctx); err != nil {
		return err
	}
	if err := c.Checkpoint(ctx); err != nil {
		return err
	}
	took, err := bareCopy(ctx, c.ETLURL(), tables, c.Streams)
	if err != nil {
		return fmt.Errorf("bare COPY: %w", err)
	}
	rounds.bare = append(rounds.bare, took.Seconds())

	fmt.Fprintf(os.Stderr, " %.1f s, etl run", took.Seconds())
	full, _, err := c.publish(ctx, c.CSV())
	if err != nil {
		return err
	}
	if len(rounds.full) == 0 {
		if rounds.rejects, err = compareWithSpoiled(ctx, c.Program("etl"), c.ETLURL(), c.CSV(), c.Rejects()); err != nil {
			return fmt.Errorf("compare the report of etl run with that of the generator: %w", err)
		}
	}
	rounds.full, rounds.fullCPU = append(rounds.full, full.Wall.Seconds()), append(rounds.fullCPU, full.CPU.Seconds())
	rounds.fullMemory = append(rounds.fullMemory, full.Mebibytes())

	fmt.Fprintf(os.Stderr, " %.1f s, etl plan", full.Wall.Seconds())
	plan, err := c.plan(ctx, c.CSV())
	if err != nil {
		return err
	}
	rounds.plan, rounds.planMemory = append(rounds.plan, plan.Wall.Seconds()), append(rounds.planMemory, plan.Mebibytes())

	// The second run reverts the first, so both change the same number of products.
	fmt.Fprintf(os.Stderr, " %.1f s, nightly", plan.Wall.Seconds())
	for _, csv := range []string{changed, c.CSV()} {
		nightly, mode, err := c.publish(ctx, csv)
		if err != nil {
			return err
		}
		rounds.nightlyModes[mode]++
		rounds.nightly, rounds.nightlyMemory = append(rounds.nightly, nightly.Wall.Seconds()), append(rounds.nightlyMemory, nightly.Mebibytes())
		fmt.Fprintf(os.Stderr, " %.1f s", nightly.Wall.Seconds())
	}
	fmt.Fprintln(os.Stderr)
	return nil
}

// againstSQL measures the same job in SQL, and etl run on the same files, and compares the documents of the two.
func (c *etlCommand) againstSQL(ctx context.Context, r *report) error {
	fmt.Fprint(os.Stderr, "in SQL")
	clean, err := c.Generate(ctx, "clean")
	if err != nil {
		return err
	}
	if err := c.CreateMigrated(ctx); err != nil {
		return err
	}
	if err := c.Checkpoint(ctx); err != nil {
		return err
	}
	took, err := runSQL(ctx, c.ETLURL(), clean, sqlTimeout)
	name := "the same job in SQL, one session, files without dirt"
	canceled := errors.Is(err, errSQLTimeout)
	if canceled {
		// The server may still be busy; replacing the database ends that.
		name += ", ended before it was done"
		err = c.CreateMigrated(ctx)
	}
	if err != nil {
		return err
	}
	fmt.Fprintf(os.Stderr, " %.1f s, etl run", took.Seconds())
	run, _, err := c.publish(ctx, clean)
	if err != nil {
		return err
	}
	fmt.Fprintf(os.Stderr, " %.1f s\n", run.Wall.Seconds())
	if !canceled {
		if err := compareWithSQL(ctx, c.ETLURL()); err != nil {
			return err
		}
	}
	inSQL := r.add(name, "s", took.Seconds())
	ours := r.add("etl run, first load, the same files", "s", run.Wall.Seconds())
	r.atLeast("the same job in SQL / etl run", inSQL/ours, 6)
	return nil
}

// crossover measures both ways of writing with several shares of changed products. It has no targets.
func (c *etlCommand) crossover(ctx context.Context, stdout io.Writer) error {
	if err := c.Prepare(ctx); err != nil {
		return err
	}
	r, err := newReport(ctx, "crossover", &c.Workspace, c.Rounds)
	if err != nil {
		return err
	}
	if _, _, err := c.publish(ctx, c.CSV()); err != nil {
		return err
	}
	for _, percent := range c.Crossover {
		changed, err := c.Generate(ctx, "changed", append(slices.Clip(workspace.Spoiled), "--change", fmt.Sprint(percent/100))...)
		if err != nil {
			return err
		}
		taken := map[string][]float64{}
		for round := range c.Rounds {
			fmt.Fprintf(os.Stderr, "%g %%, round %d of %d:", percent, round+1, c.Rounds)
			// The second run reverts the first. It writes a generation, so that the next round starts with new tables.
			for _, step := range []struct{ mode, csv string }{{"delta", changed}, {"generation", c.CSV()}} {
				run, mode, err := c.publish(ctx, step.csv, "--mode", step.mode)
				if err != nil {
					return err
				}
				if mode != step.mode {
					return fmt.Errorf("--mode %s wrote a %s", step.mode, mode)
				}
				taken[step.mode] = append(taken[step.mode], run.Wall.Seconds())
				fmt.Fprintf(os.Stderr, " %s %.1f s", step.mode, run.Wall.Seconds())
			}
			fmt.Fprintln(os.Stderr)
		}
		for _, mode := range []string{"delta", "generation"} {
			r.add(fmt.Sprintf("%g %% of products changed, %s", percent, mode), "s", taken[mode]...)
		}
	}
	return r.write(stdout, c.Work)
}

// memory measures the peak memory of render, run and plan with catalogs of several sizes.
func (c *etlCommand) memory(ctx context.Context, stdout io.Writer) error {
	r, err := newReport(ctx, "memory", &c.Workspace, 1)
	if err != nil {
		return err
	}
	var highest float64
	for _, products := range c.Memory {
		c.Products = products
		if err := c.Prepare(ctx); err != nil {
			return err
		}
		changed, err := c.Generate(ctx, "changed", append(slices.Clip(workspace.Spoiled), "--change", fmt.Sprint(nightlyChange))...)
		if err != nil {
			return err
		}
		publish := func(csv string, flags ...string) func() (measure.Cost, error) {
			return func() (measure.Cost, error) {
				took, _, err := c.publish(ctx, csv, flags...)
				return took, err
			}
		}
		for _, step := range []struct {
			name string
			run  func() (measure.Cost, error)
		}{
			{"render", func() (measure.Cost, error) { return measure.Run(ctx, c.Program("etl"), "render", "--csv", c.CSV()) }},
			{"etl run, first load", publish(c.CSV())},
			{"etl plan, nothing changed", func() (measure.Cost, error) { return c.plan(ctx, c.CSV()) }},
			{"etl run, nightly", publish(changed)},
			{"etl run, new generation", publish(c.CSV(), "--mode", "generation")},
		} {
			fmt.Fprintf(os.Stderr, "%d products, %s", products, step.name)
			took, err := step.run()
			if err != nil {
				return err
			}
			fmt.Fprintf(os.Stderr, ": %.1f s, %.0f MiB\n", took.Wall.Seconds(), took.Mebibytes())
			highest = max(highest, r.add(fmt.Sprintf("%d products, %s, peak memory", products, step.name), "MiB", took.Mebibytes()))
		}
	}
	r.Products = c.Memory[len(c.Memory)-1]
	r.atMost("peak memory, MiB", highest, 256)
	return r.write(stdout, c.Work)
}

// publish measures etl run, and returns its mode. It accepts the gates that would stop a benchmark; that of rejects would stop only a very
// small catalog. A run that publishes nothing is an error.
func (c *etlCommand) publish(ctx context.Context, csv string, flags ...string) (measure.Cost, string, error) {
	if err := c.Checkpoint(ctx); err != nil {
		return measure.Cost{}, "", err
	}
	before, _, err := c.lastRun(ctx)
	if err != nil {
		return measure.Cost{}, "", err
	}
	if err := workspace.Warm(csv); err != nil {
		return measure.Cost{}, "", err
	}
	took, err := measure.Run(ctx, c.Program("etl"), append([]string{
		"run", "--csv", csv, "--database", c.ETLURL(), "--accept", "changed", "--accept", "removed", "--accept", "fewer-rows",
		"--accept", "rejects", "--rejects", c.Rejects(), "--streams", strconv.Itoa(c.Streams),
	}, flags...)...)
	if err != nil {
		return measure.Cost{}, "", err
	}
	run, mode, err := c.lastRun(ctx)
	if err == nil && run == before {
		err = fmt.Errorf("etl run of %s published nothing", csv)
	}
	return took, mode, err
}

// lastRun returns the number and mode of the last run that published something, or 0 if there is none.
func (c *etlCommand) lastRun(ctx context.Context) (run int64, mode string, err error) {
	conn, err := sql.Dial(ctx, c.ETLURL())
	if err != nil {
		return 0, "", err
	}
	defer func() { _ = conn.Close(ctx) }()
	err = conn.QueryRow(ctx, query("last_run"), "products").Scan(&run, &mode)
	if errors.Is(err, pgx.ErrNoRows) {
		err = nil
	}
	return run, mode, err
}

// plan measures etl plan. It is an error if there are changes.
func (c *etlCommand) plan(ctx context.Context, csv string) (measure.Cost, error) {
	if err := c.Checkpoint(ctx); err != nil {
		return measure.Cost{}, err
	}
	if err := workspace.Warm(csv); err != nil {
		return measure.Cost{}, err
	}
	return measure.Run(ctx, c.Program("etl"), "plan", "--csv", csv, "--database", c.ETLURL(), "--accept", "rejects")
}

// modes returns the modes of the runs for the name of a measurement, or "" if all were deltas.
func modes(count map[string]int) string {
	if len(count) == 1 && count["delta"] > 0 {
		return ""
	}
	return fmt.Sprintf(" (%d as a delta, %d as a generation)", count["delta"], count["generation"])
}

func directorySize(directory string) (float64, error) {
	files, err := filepath.Glob(filepath.Join(directory, "*.csv"))
	if err != nil {
		return 0, err
	}
	var size int64
	for _, file := range files {
		info, err := os.Stat(file)
		if err != nil {
			return 0, err
		}
		size += info.Size()
	}
	return float64(size), nil
}
