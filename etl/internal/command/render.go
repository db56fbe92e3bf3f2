package command

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"time"

	"systemscale/etl/internal/dump"
	"systemscale/etl/internal/publish"
	"systemscale/etl/internal/regular"
	"systemscale/etl/internal/shape"
	"systemscale/etl/internal/source"
	"systemscale/sql"
)

type renderCommand struct {
	Files     fileFlags      `embed:""`
	Temporary temporaryFlags `embed:""`
	Item      itemFlags      `embed:""`
	Out       string         `placeholder:"DIR" help:"Directory to write one file for each endpoint into, in the format of a binary COPY. Default: nothing is written."`
}

func (c *renderCommand) Help() string {
	return `Joins the files and renders every document as run does, without a database. It measures the speed of that part, and with --out
writes what a run would send to Postgres, but for the etags: these are hashes without the key of a database.

Example:
  etl render --csv ./dump
  etl render --csv ./dump --out ./documents
  psql -c "copy scratch from stdin (format binary)" < ./documents/styles.copy`
}

// Run renders the files of one directory.
func (c *renderCommand) Run(ctx context.Context, out *output) error {
	done, err := c.Files.spool(ctx, c.Temporary.Temp)
	if err != nil {
		return err
	}
	defer done()
	options := c.Files.options(out)
	options.Temp, options.MaxDocument = c.Temporary.Temp, int64(c.Item.MaxDocument)
	began := time.Now()
	d, err := dump.Open(ctx, options)
	if err != nil {
		return err
	}
	defer d.Close()
	return d.Arranged(ctx, func(d *dump.Dump) error { return c.render(ctx, out, d, began) })
}

// render is one attempt.
func (c *renderCommand) render(ctx context.Context, out *output, d *dump.Dump, began time.Time) error {
	spec := d.Spec()
	files, err := c.createFiles(spec)
	if err != nil {
		return err
	}
	rendered := make([]publish.Table, len(spec.Endpoints))
	progress := newProgress(out.stderr, d.Size(), "render")
	err = d.Pass(ctx, dump.Handlers{
		Tick: func() { progress.at(d.Position()) },
		Document: func(document int, id sql.ID, etag uint64, body []byte) error {
			rendered[document].Rows++
			rendered[document].Bytes += int64(len(body))
			if files == nil {
				return nil
			}
			return files[document].row(id, etag, body)
		},
	})
	for _, file := range files {
		err = errors.Join(err, file.close())
	}
	progress.finish(err)
	if err != nil {
		return err
	}
	counts := d.Counts()
	if err := errors.Join(reconcile(counts), d.RefuseCutFiles()); err != nil {
		return err
	}
	took := time.Since(began)
	var read, rejected, bytes int64
	for i, e := range spec.Endpoints {
		fmt.Fprintf(out.stdout, "%s: %s, %s\n", e.Name, plural(rendered[i].Rows, "document"), size(rendered[i].Bytes))
		bytes += rendered[i].Bytes
	}
	for _, c := range counts {
		read += c.Bytes
		rejected += source.Sum(c.Rejected)
	}
	fmt.Fprintf(out.stdout, "%s rejected. %s of CSV became %s of JSON in %.1f s: %.0f MB of CSV per second\n",
		plural(rejected, "row"), size(read), size(bytes), took.Seconds(), float64(read)/1e6/took.Seconds())
	return nil
}

// createFiles creates a file for each endpoint. It returns nil without --out.
func (c *renderCommand) createFiles(spec *shape.Shape) ([]*copyFile, error) {
	if c.Out == "" {
		return nil, nil
	}
	if err := os.MkdirAll(c.Out, 0o755); err != nil {
		return nil, err
	}
	files := make([]*copyFile, 0, len(spec.Endpoints))
	for _, e := range spec.Endpoints {
		file, err := createCopyFile(filepath.Join(c.Out, e.Name+".copy"))
		if err != nil {
			for _, created := range files {
				err = errors.Join(err, created.close())
			}
			return nil, err
		}
		files = append(files, file)
	}
	return files, nil
}

// reconcile returns an error unless every row is accounted for.
func reconcile(counts []source.Counts) error {
	for _, c := range counts {
		if lost := c.Unreconciled(); lost > 0 {
			return fmt.Errorf("%s: %s neither used, filtered, rejected nor without a parent: this is a defect of etl, please report it", c.File, plural(lost, "row"))
		}
	}
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
	if _, err := c.writer.Write(publish.AppendHeader(nil)); err != nil {
		return nil, errors.Join(err, file.Close())
	}
	return c, nil
}

func (c *copyFile) row(id sql.ID, etag uint64, body []byte) error {
	c.buffer = publish.AppendRow(c.buffer[:0], id, etag, body)
	_, err := c.writer.Write(c.buffer)
	return err
}

func (c *copyFile) close() error {
	_, err := c.writer.Write(publish.AppendTrailer(nil))
	return errors.Join(err, c.writer.Flush(), c.file.Close())
}
