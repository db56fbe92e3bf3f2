package command

import (
	"context"
	"errors"
	"fmt"
	"io"
	"time"

	"systemscale/etl/internal/join"
	"systemscale/etl/internal/order"
	"systemscale/etl/internal/source"
)

// arranged is what had to be done to a source before it can be joined.
type arranged struct {
	order      order.Order
	sorted     *order.Sorted      // nil for a file that is read as it is
	duplicates map[int64]struct{} // lines whose keys stand on an earlier line; nil when the join finds them
}

// arrange brings the files into an order in which they can be joined, and opens them anew. disorder is what the join came upon.
func (in *input) arrange(ctx context.Context, disorder *join.Disorder) error {
	in.close()
	if err := in.rejects.Reset(); err != nil {
		return fmt.Errorf("remove the rejects of the first reading: %w", err)
	}
	dump := in.dump(ctx)
	began := time.Now()
	if disorder.Problem == join.SparseKeys {
		file := in.spec.Sources[disorder.Source].File
		duplicates, err := dump.Duplicates(ctx, disorder.Source)
		if err != nil {
			return err
		}
		in.arranged[disorder.Source].duplicates = duplicates
		in.say.Warn("the ids of a file are too far apart to be remembered, so it was sorted by id to find those that come twice",
			"file", file, "took", time.Since(began).Round(time.Millisecond))
	} else {
		orders, err := dump.Examine(ctx)
		if err != nil {
			return err
		}
		if orders[disorder.Source] == order.AsItIs && disorder.Problem == join.Unsorted {
			return fmt.Errorf("%w. Its rows seem to be in order: did the file change meanwhile?", disorder)
		}
		for i := range orders {
			in.arranged[i].order = orders[i]
		}
	}
	return in.reopen(ctx)
}

// again opens the files once more, arranged as they are. Rejects are counted, and not kept.
func (in *input) again(ctx context.Context) (*input, error) {
	again := *in
	again.rejects = &countedRejects{}
	again.joiner, again.streams = nil, nil
	again.readers = make([]*source.Reader, len(in.readers))
	again.arranged = append([]arranged(nil), in.arranged...)
	return &again, again.reopen(ctx)
}

// reopen sorts what must be sorted and opens all files.
func (in *input) reopen(ctx context.Context) error {
	dump := in.dump(ctx)
	var errs []error
	for i := range in.arranged {
		a := &in.arranged[i]
		a.sorted = nil
		if a.order != order.AsItIs {
			began := time.Now()
			sorted, err := dump.Sort(ctx, i, a.order)
			if err != nil {
				in.close()
				return err
			}
			a.sorted = sorted
			in.streams = append(in.streams, sorted)
			in.say.Warn("a file is not in the order of its parents, so it was sorted",
				"file", in.spec.Sources[i].File, "rows", sorted.Rows, "temporary", size(sorted.Spilled), "took", time.Since(began).Round(time.Millisecond))
		}
		errs = append(errs, in.open(ctx, i))
	}
	if err := errors.Join(errs...); err != nil {
		in.close()
		return err
	}
	return nil
}

func (in *input) dump(ctx context.Context) *order.Dump {
	dump := &order.Dump{Shape: in.spec, Temp: in.temp}
	for _, file := range in.files {
		dump.Open = append(dump.Open, func() (io.ReadCloser, error) { return file.again(ctx) })
	}
	return dump
}
