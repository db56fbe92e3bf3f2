package dump

import (
	"context"
	"errors"
	"io"
	"strings"

	"systemscale/etl/internal/document"
	"systemscale/etl/internal/etag"
	"systemscale/etl/internal/join"
	"systemscale/etl/internal/source"
	"systemscale/sql"
)

// Handlers are the functions that a pass calls, all in the goroutine of Pass. An error ends the pass.
type Handlers struct {
	// Document is called with every document: in ascending order of id, and of one item in the order of the shape. body is valid only
	// during the call; the id stays valid.
	Document func(document int, id sql.ID, etag uint64, body []byte) error

	// Etags hashes the documents. The zero value is an unkeyed hash.
	Etags etag.Hash

	Rejects source.Sink // nil discards the rejected rows

	// Row is called for every used row, which is its Reader's last row. It may be nil.
	Row func(source int, reader *source.Reader)

	// Tick is called after every few hundred items. It may be nil.
	Tick func()
}

// Pass reads all files to their ends, joins them and renders the documents of every item. A Dump has one pass. The error is a
// *join.Disorder if the files must be sorted first: see Arranged. It is an *OversizeError for an item above Options.MaxDocument, and a
// *source.FileError for a file that cannot be used or that changed during the reading.
func (d *Dump) Pass(ctx context.Context, handlers Handlers) error {
	if handlers.Rejects != nil {
		d.rejects = handlers.Rejects
	}
	err := d.pass(ctx, handlers)
	var disorder *join.Disorder
	switch {
	case !errors.As(err, &disorder):
	case d.second: // the first reading found these files in order
		err = disorder.Unwrap()
	default:
		return err
	}
	return d.unchanged(err)
}

func (d *Dump) pass(ctx context.Context, handlers Handlers) error {
	if err := d.fillTables(ctx, handlers.Tick); err != nil {
		return err
	}
	var err error
	tree := d.spec.Tree()
	if d.joiner, err = join.New(tree, d.readers[:len(tree)], d.joinOptions(ctx)); err != nil {
		return err
	}
	defer d.joiner.Close()
	d.joiner.Observe = handlers.Row
	if limit := d.options.MaxDocument; limit > 0 {
		d.joiner.Watch(sizeGuard(d.spec, d.joiner, limit))
	}
	renderers := make([]*document.Renderer, len(d.spec.Endpoints))
	for i := range d.spec.Endpoints {
		renderers[i] = document.New(d.spec, &d.spec.Endpoints[i])
	}
	var body []byte
	for items := 0; ; items++ {
		tree, err := d.joiner.Next()
		if err == io.EOF {
			if items == 0 {
				return d.unusable()
			}
			return nil
		}
		if err != nil {
			return err
		}
		id := tree.ID()
		for i, renderer := range renderers {
			body = renderer.Append(body[:0], tree)
			if err := handlers.Document(i, id, handlers.Etags.Of(body), body); err != nil {
				return err
			}
		}
		// Often enough for a progress bar and an interrupt, seldom enough to cost nothing.
		if items%256 == 0 {
			if err := ctx.Err(); err != nil {
				return err
			}
			if handlers.Tick != nil {
				handlers.Tick()
			}
		}
	}
}

// unusable returns the error about a root source without any row that can be used, with the reasons.
func (d *Dump) unusable() error {
	counts := d.joiner.Counts()[0]
	message := "no row of this file can be used, so there is nothing to publish"
	rejected, filtered := counts.Reasons()
	switch reasons := append(rejected, filtered...); {
	case counts.Read == 0:
		message += ": it has a header and no rows"
	case len(reasons) > 0:
		message += ": " + strings.Join(reasons, ", ")
	}
	for _, row := range d.evidence {
		message += "\n  " + row
	}
	return &source.FileError{File: counts.File, Message: message}
}

// Read reads each file to its end, one after the other, without joining them. It replaces a pass.
func (d *Dump) Read() error {
	return d.unchanged(d.read())
}

func (d *Dump) read() error {
	for _, reader := range d.readers {
		for more := true; more; {
			var err error
			if more, err = reader.Next(); err != nil {
				return err
			}
			reader.Release()
		}
		d.readApart = append(d.readApart, reader.Counts())
	}
	return nil
}
