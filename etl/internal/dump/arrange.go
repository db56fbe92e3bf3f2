package dump

import (
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"time"

	"github.com/dustin/go-humanize"

	"systemscale/etl/internal/join"
	"systemscale/etl/internal/shape"
	"systemscale/etl/internal/source"
)

// mostReadings bounds the readings for the keys: one that records them, and one that knows those that come several times, of which there
// may be others in another order.
const mostReadings = 3

// Arranged calls attempt with d. If attempt returns a *join.Disorder, as Pass does, the files that need it are sorted, and attempt is
// called again with another Dump of the same files: it must start from scratch, with new objects. Arranged returns the error of the last
// attempt, and closes the Dumps that it opened.
func (d *Dump) Arranged(ctx context.Context, attempt func(*Dump) error) error {
	for n := 0; ; n++ {
		err := attempt(d)
		if n > 0 {
			d.Close()
		}
		var disorder *join.Disorder
		if !errors.As(err, &disorder) || n > len(d.spec.Sources)+mostReadings {
			return err
		}
		relocate(disorder, d.spec.Sources, d.files)
		d.options.Logger.Warn("the files are read again", "reason", disorder)
		again, err := d.arrange(ctx, disorder)
		if err != nil {
			return d.unchanged(err)
		}
		d = again
	}
}

// Again opens the files of d again, in the arrangement that d has, for a second reading after a complete one. The Dump must be closed.
func (d *Dump) Again(ctx context.Context) (*Dump, error) {
	again := d.copy()
	again.second = true
	return again, again.reopen(ctx)
}

// copy returns a Dump of the same files, not yet open.
func (d *Dump) copy() *Dump {
	return &Dump{
		options: d.options, spec: d.spec, shapeState: d.shapeState, files: d.files, arranged: slices.Clone(d.arranged),
		early:   d.early,
		keys:    d.keys,
		readers: make([]*source.Reader, len(d.files)), rejects: source.Discard{},
	}
}

// arrange closes d and opens its files in an order that can be joined.
func (d *Dump) arrange(ctx context.Context, disorder *join.Disorder) (*Dump, error) {
	d.Close()
	next := d.copy()
	if disorder.Problem != join.LateKeys && disorder.Problem != join.RepeatedKeys { // d.keys has what the next join needs
		orders, err := d.ordering(ctx).examine(ctx)
		if err != nil {
			return nil, err
		}
		if orders[disorder.Source] == asIs && disorder.Problem == join.Unsorted {
			return nil, fmt.Errorf("%w. Its rows are in order now: did the file change during the reading?", disorder)
		}
		for i := range orders {
			next.arranged[i].order = orders[i]
		}
	}
	return next, next.reopen(ctx)
}

// reopen sorts the files that need it, and opens all of them.
func (d *Dump) reopen(ctx context.Context) error {
	ordering := d.ordering(ctx)
	var errs []error
	for i := range d.arranged {
		a := &d.arranged[i]
		a.sorted = nil
		if a.order != asIs && (d.skips == nil || !d.skips[i]) {
			began := time.Now()
			sorted, err := ordering.sort(ctx, i, a.order)
			if err != nil {
				d.Close()
				return err
			}
			a.sorted = sorted
			d.streams = append(d.streams, sorted)
			d.options.Logger.Warn("a file is not in the order of its parents, so it was sorted", "file", shape.FileName(d.spec.Sources[i].File),
				"rows", sorted.records, "temporary", humanize.Bytes(uint64(sorted.spilled)),
				"took", time.Since(began).Round(time.Millisecond))
		}
		errs = append(errs, d.openSource(ctx, i))
	}
	if err := errors.Join(errs...); err != nil {
		d.Close()
		return err
	}
	return nil
}

func (d *Dump) ordering(ctx context.Context) *ordering {
	o := &ordering{spec: d.spec, temp: d.options.Temp, early: d.early}
	for _, file := range d.files {
		o.open = append(o.open, func() (io.ReadCloser, error) { return file.openAside(ctx) })
	}
	return o
}

// joinOptions returns the options of a join of the files.
func (d *Dump) joinOptions(ctx context.Context) join.Options {
	return join.Options{Context: ctx, Temp: d.options.Temp, Keys: d.keys, Checked: d.second}
}
