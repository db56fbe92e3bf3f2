package main

import (
	"context"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strconv"
)

type etlCommand struct {
	workplace
	Rounds  int `default:"3" help:"How often everything is measured, in turns. Default: ${default}."`
	Streams int `default:"2" help:"COPY streams, of the ETL and of the bare COPY. Default: ${default}."`
}

// Run measures, in turns: rendering alone; the bare COPY of the finished documents; and etl run, which does both and
// makes them live.
func (c *etlCommand) Run(ctx context.Context, stdout io.Writer) error {
	if err := c.prepare(ctx); err != nil {
		return err
	}
	r, err := newReport(ctx, "etl", &c.workplace, c.Rounds)
	if err != nil {
		return err
	}
	documents := filepath.Join(c.Work, "documents")
	defer func() { _ = os.RemoveAll(documents) }()
	if _, err := measure(ctx, c.program("etl"), "render", "--csv", c.csv(), "--out", documents); err != nil {
		return err
	}
	tables, err := readCopyFiles(documents)
	if err != nil {
		return err
	}

	// Not measured: the first load of a new cluster makes the files of Postgres's log, which later ones write over.
	if _, err := bareCopy(ctx, c.etlURL(), tables, c.Streams); err != nil {
		return fmt.Errorf("bare COPY: %w", err)
	}
	var render, renderCPU, bare, full, fullCPU, memory []float64
	for round := range c.Rounds {
		fmt.Fprintf(os.Stderr, "round %d of %d: render", round+1, c.Rounds)
		alone, err := measure(ctx, c.program("etl"), "render", "--csv", c.csv())
		if err != nil {
			return err
		}
		render, renderCPU = append(render, alone.wall.Seconds()), append(renderCPU, alone.cpu.Seconds())

		fmt.Fprint(os.Stderr, ", bare COPY")
		if err := c.settle(ctx); err != nil {
			return err
		}
		took, err := bareCopy(ctx, c.etlURL(), tables, c.Streams)
		if err != nil {
			return fmt.Errorf("bare COPY: %w", err)
		}
		bare = append(bare, took.Seconds())

		fmt.Fprint(os.Stderr, ", etl run")
		if err := c.settle(ctx); err != nil {
			return err
		}
		run, err := measure(ctx, c.program("etl"), "run", "--csv", c.csv(), "--database", c.etlURL(),
			"--rejects", filepath.Join(c.Work, "rejects"), "--streams", strconv.Itoa(c.Streams), "--mode", "generation")
		if err != nil {
			return err
		}
		full, fullCPU = append(full, run.wall.Seconds()), append(fullCPU, run.cpu.Seconds())
		memory = append(memory, float64(run.memory)/(1<<20))
		fmt.Fprintf(os.Stderr, ": %.1f s, %.1f s, %.1f s\n", alone.wall.Seconds(), took.Seconds(), run.wall.Seconds())
	}

	size, err := directorySize(c.csv())
	if err != nil {
		return err
	}
	renderTime := r.add("render alone, one core", "s", render...)
	r.add("render alone, processor time", "s", renderCPU...)
	r.add("render alone", "MB of CSV/s", size/1e6/renderTime)
	bareTime := r.add(fmt.Sprintf("bare binary COPY, %d streams", c.Streams), "s", bare...)
	fullTime := r.add(fmt.Sprintf("etl run, %d streams", c.Streams), "s", full...)
	r.add("etl run, processor time of etl", "s", fullCPU...)
	peak := r.add("etl run, peak memory", "MiB", memory...)
	r.atMost("etl run / bare COPY", fullTime/bareTime, 1.5)
	r.atMost("peak memory of etl run, MiB", peak, 256)
	return r.write(stdout, c.Work)
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
