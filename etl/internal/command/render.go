package command

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"time"

	"github.com/dustin/go-humanize/english"

	"systemscale/etl/internal/publish"
	"systemscale/etl/internal/regular"
	"systemscale/etl/internal/source"
)

type renderCommand struct {
	CSV   string `name:"csv" required:"" type:"path" placeholder:"DIR" help:"Directory that holds the CSV files."`
	Shape string `placeholder:"FILE" help:"Shape file. Default: the built-in catalog of products."`
	temporary
	itemLimit
	Out string `placeholder:"DIR" help:"Directory to write one file for each document into, in the format of a binary COPY. Default: nothing is written."`
}

func (c *renderCommand) Help() string {
	return `Joins the files and renders every document as run does, and needs no database. It shows how fast that alone is, and
with --out what a run would send to Postgres.

Example:
  etl render --csv ./dump
  etl render --csv ./dump --out ./documents
  psql -c "copy scratch from stdin (format binary)" < ./documents/styles.copy`
}

// Run renders the files of one directory.
func (c *renderCommand) Run(ctx context.Context, out *output) error {
	began := time.Now()
	rejects := &countedRejects{}
	in, err := openInput(ctx, reading{directory: c.CSV, shape: c.Shape, temp: c.Temp, rejects: rejects, accepts: acceptsNone, maxDocument: c.MaxDocument, say: out.log()})
	if err != nil {
		return err
	}
	defer in.close()
	spec := in.spec
	writers := make([]*copyFile, len(spec.Endpoints))
	if c.Out != "" {
		if err := os.MkdirAll(c.Out, 0o755); err != nil {
			return err
		}
		for i, d := range spec.Endpoints {
			if writers[i], err = createCopyFile(filepath.Join(c.Out, d.Name+".copy")); err != nil {
				return err
			}
		}
	}
	rendered := make([]publish.Table, len(spec.Endpoints))
	restart := func() error {
		clear(rendered)
		for _, w := range writers {
			if w != nil {
				if err := w.reset(); err != nil {
					return err
				}
			}
		}
		return nil
	}
	progress := newProgress(out.stderr, in.size, "render")
	err = pass(ctx, in, func() { progress.at(in.position()) }, restart, func(document int, id int64, etag uint64, body []byte) error {
		rendered[document].Rows++
		rendered[document].Bytes += int64(len(body))
		if w := writers[document]; w != nil {
			return w.row(id, etag, body)
		}
		return nil
	})
	for _, w := range writers {
		if w != nil {
			err = errors.Join(err, w.close())
		}
	}
	progress.finish(err)
	if err != nil {
		return err
	}
	if err := errors.Join(in.joiner.Reconcile(), in.refuseCutFiles()); err != nil {
		return err
	}
	took := time.Since(began)
	var bytes int64
	for i, d := range spec.Endpoints {
		fmt.Fprintf(out.stdout, "%s: %s, %s\n", d.Name, english.Plural(int(rendered[i].Rows), "document", ""), size(rendered[i].Bytes))
		bytes += rendered[i].Bytes
	}
	var read int64
	for _, c := range in.counts() {
		read += c.Bytes
	}
	fmt.Fprintf(out.stdout, "%s rejected. %s of CSV became %s of JSON in %.1f s: %.0f MB of CSV a second\n",
		english.Plural(int(rejects.count), "row", ""), size(read), size(bytes), took.Seconds(), float64(read)/1e6/took.Seconds())
	return nil
}

// acceptsNone is for a command without gates.
func acceptsNone(string) bool { return false }

// countedRejects is a Sink for a run whose rejects nobody keeps.
type countedRejects struct{ count int }

func (c *countedRejects) Reject(source.Reject) error {
	c.count++
	return nil
}

func (c *countedRejects) Reset() error {
	c.count = 0
	return nil
}

// copyFile is a file in the format of a binary COPY.
type copyFile struct {
	file   *os.File
	writer *bufio.Writer
	buffer []byte
}

func createCopyFile(path string) (*copyFile, error) {
	file, err := regular.Create(path)
	if err != nil {
		return nil, err
	}
	c := &copyFile{file: file, writer: bufio.NewWriterSize(file, 1<<20)}
	return c, c.begin()
}

func (c *copyFile) begin() error {
	_, err := c.writer.Write(publish.AppendHeader(nil))
	return err
}

// reset forgets what was written.
func (c *copyFile) reset() error {
	c.writer.Reset(c.file)
	_, err := c.file.Seek(0, io.SeekStart)
	return errors.Join(err, c.file.Truncate(0), c.begin())
}

func (c *copyFile) row(id int64, etag uint64, body []byte) error {
	c.buffer = publish.AppendRow(c.buffer[:0], id, etag, body)
	_, err := c.writer.Write(c.buffer)
	return err
}

func (c *copyFile) close() error {
	_, err := c.writer.Write(publish.AppendTrailer(nil))
	return errors.Join(err, c.writer.Flush(), c.file.Close())
}
