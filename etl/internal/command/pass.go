package command

import (
	"context"
	"errors"
	"io"

	"systemscale/etl/internal/document"
	"systemscale/etl/internal/join"
	"systemscale/etl/internal/source"
)

// emit takes a rendered document, of which it may keep body only until it returns.
type emit func(document int, id int64, etag uint64, body []byte) error

// pass reads all files, joins them and hands every document of every item to emit: in ascending order of id, and of one
// item in the order of the shape's documents. tick is called now and then. Behind it, in.counts has the fate of every row.
//
// Files are read once, unless they turn out not to be in order: then they are sorted, restart is called, which is to forget all
// that was emitted, and they are read again from the beginning. It is an error if a file changes before all have been read for the last time.
func pass(ctx context.Context, in *input, tick func(), restart func() error, emit emit) error {
	return in.unchanged(passUntilOrdered(ctx, in, tick, restart, emit))
}

// passAgain is pass for files that have been read before, and are arranged as they need to be.
func passAgain(ctx context.Context, in *input, tick func(), emit emit) error {
	return in.unchanged(passOnce(ctx, in, tick, emit))
}

func passUntilOrdered(ctx context.Context, in *input, tick func(), restart func() error, emit emit) error {
	for attempt := 0; ; attempt++ {
		err := passOnce(ctx, in, tick, emit)
		var disorder *join.Disorder
		if !errors.As(err, &disorder) || attempt > len(in.spec.Sources) {
			return err
		}
		in.say.Warn("the files are read anew, in another order", "reason", disorder)
		if err := in.arrange(ctx, disorder); err != nil {
			return err
		}
		if err := restart(); err != nil {
			return err
		}
	}
}

func passOnce(ctx context.Context, in *input, tick func(), emit emit) error {
	var err error
	if in.joiner, err = join.New(in.spec.Sources, in.readers); err != nil {
		return err
	}
	in.joiner.Observe = in.observe
	if in.maxDocument > 0 {
		in.joiner.Watch(in.sizeGuard())
	}
	renderers := make([]*document.Renderer, len(in.spec.Endpoints))
	for i := range in.spec.Endpoints {
		renderers[i] = document.New(in.spec, &in.spec.Endpoints[i])
	}
	var body []byte
	for items := 0; ; items++ {
		tree, err := in.joiner.Next()
		if err == io.EOF {
			if items == 0 {
				return &source.FileError{File: in.spec.Sources[0].File, Message: "no row of it can be used, so there is nothing to publish"}
			}
			return nil
		}
		if err != nil {
			return err
		}
		for i, renderer := range renderers {
			body = renderer.Append(body[:0], tree)
			if err := emit(i, tree.Key(), document.Etag(body), body); err != nil {
				return err
			}
		}
		// Often enough for a person and for an interrupt, seldom enough to cost nothing.
		if items%256 == 0 {
			if err := ctx.Err(); err != nil {
				return err
			}
			tick()
		}
	}
}
