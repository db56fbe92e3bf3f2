package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"path/filepath"
	"time"

	"systemscale/etl/internal/document"
	"systemscale/etl/internal/join"
	"systemscale/etl/internal/publish"
	"systemscale/etl/internal/shape"
	"systemscale/etl/internal/source"
)

type runCommand struct {
	database
	CSV     string `name:"csv" required:"" type:"path" placeholder:"DIR" help:"Directory that holds the CSV files."`
	Shape   string `placeholder:"FILE" help:"Shape file that says what the CSV files and the documents are. Default: the built-in catalog of products."`
	Rejects string `default:"rejects" placeholder:"DIR" help:"Where rejected rows go, each run into a directory of its own. Default: ${default}."`
	Streams int    `default:"2" placeholder:"N" help:"COPY streams to Postgres. Two keep two cores busy. Default: ${default}."`
}

func (c *runCommand) Help() string {
	return `Reads all files once, joins them, renders every document, loads them beside what is live and then flips to them.
Until that moment, and after any failure, the API serves what it served before.

Example:
  etl run --csv ./dump
  etl run --csv ./dump --shape ./books.yaml --rejects /var/lib/systemscale/rejects`
}

// Validate is called by kong once the flags are read.
func (c *runCommand) Validate() error {
	if c.Streams < 1 || c.Streams > 64 {
		return fmt.Errorf("--streams must be between 1 and 64, not %d", c.Streams)
	}
	return nil
}

// Run publishes the files of one directory.
func (c *runCommand) Run(ctx context.Context, out *output) (err error) {
	began := time.Now()
	rejects := &source.RejectFiles{}
	in, err := openInput(c.CSV, c.Shape, rejects)
	if err != nil {
		return err
	}
	defer in.close()
	spec := in.spec

	session, err := publish.Open(ctx, c.URL, spec.Collection)
	if err != nil {
		return ofDatabase(err)
	}
	defer session.Close()
	load, err := session.Begin(ctx, spec.Published(), c.Streams)
	if err != nil {
		return ofDatabase(err)
	}
	rejects.Directory = filepath.Join(c.Rejects, fmt.Sprintf("%s-%d", spec.Collection, load.Run()))
	var joiner *join.Joiner
	counts := func() []source.Counts {
		if joiner == nil {
			return []source.Counts{}
		}
		return joiner.Counts()
	}
	defer func() {
		if err != nil {
			err = errors.Join(err, rejects.Close(), load.Abort(err, counts()))
		}
	}()

	if joiner, err = join.New(spec.Sources, in.readers); err != nil {
		return err
	}
	progress := newProgress(out.stderr, in.size)
	send := func(document int, id int64, etag uint64, body []byte) error {
		return ofDatabase(load.Append(document, id, etag, body))
	}
	err = renderAll(ctx, joiner, spec, func() { progress.at(in.position()) }, send)
	progress.finish(err)
	if err != nil {
		return err
	}
	if err := rejects.Close(); err != nil {
		return fmt.Errorf("write the rejects: %w", err)
	}
	published, err := load.Publish(ctx, counts(), progress.phase)
	if err != nil {
		return ofDatabase(err)
	}
	report(out.stdout, spec, published, counts(), rejects, time.Since(began))
	return nil
}

// renderAll renders every document of every item and hands it to emit, which may keep body only until it returns.
func renderAll(ctx context.Context, joiner *join.Joiner, spec *shape.Shape, tick func(), emit func(document int, id int64, etag uint64, body []byte) error) error {
	renderers := make([]*document.Renderer, len(spec.Documents))
	for i := range spec.Documents {
		renderers[i] = document.New(spec, &spec.Documents[i])
	}
	var body []byte
	for items := 0; ; items++ {
		tree, err := joiner.Next()
		if err == io.EOF {
			if items == 0 {
				return &source.FileError{File: spec.Sources[0].File, Message: "no row of it can be used, so there is nothing to publish"}
			}
			return joiner.Reconcile()
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
