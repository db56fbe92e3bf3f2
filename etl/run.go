package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"time"

	"systemscale/etl/internal/document"
	"systemscale/etl/internal/join"
	"systemscale/etl/internal/publish"
	"systemscale/etl/internal/shape"
	"systemscale/etl/internal/source"
	"systemscale/etl/shapes"
)

type runCommand struct {
	database
	CSV     string `name:"csv" required:"" type:"existingdir" placeholder:"DIR" help:"Directory that holds the CSV files."`
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
	spec, err := readShape(c.Shape)
	if err != nil {
		return err
	}
	files, err := openFiles(c.CSV, spec)
	if err != nil {
		return err
	}
	defer files.close()

	rejects := &source.RejectFiles{}
	readers, err := newReaders(files, spec, rejects)
	if err != nil {
		return err
	}

	session, err := publish.Open(ctx, c.URL, spec.Collection)
	if err != nil {
		return err
	}
	defer session.Close()
	load, err := session.Begin(ctx, spec.Published(), c.Streams)
	if err != nil {
		return err
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

	if joiner, err = join.New(spec.Sources, readers); err != nil {
		return err
	}
	progress := newProgress(out.stderr, files.size)
	if err := fill(ctx, load, joiner, spec, readers, progress); err != nil {
		return err
	}
	if err := joiner.Reconcile(); err != nil {
		return err
	}
	if err := rejects.Close(); err != nil {
		return fmt.Errorf("write the rejects: %w", err)
	}
	progress.finish()
	published, err := load.Publish(ctx, counts(), progress.phase)
	if err != nil {
		return err
	}
	report(out.stdout, spec, published, counts(), rejects, time.Since(began))
	return nil
}

// fill renders every document of every item into the load.
func fill(ctx context.Context, load *publish.Load, joiner *join.Joiner, spec *shape.Shape, readers []*source.Reader, progress *progress) error {
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
			return nil
		}
		if err != nil {
			return err
		}
		for i, renderer := range renderers {
			body = renderer.Append(body[:0], tree)
			if err := load.Append(i, tree.Key(), document.Etag(body), body); err != nil {
				return err
			}
		}
		// Often enough for a person and for an interrupt, seldom enough to cost nothing.
		if items%256 == 0 {
			if err := ctx.Err(); err != nil {
				return err
			}
			progress.at(readers)
		}
	}
}

func readShape(path string) (*shape.Shape, error) {
	if path == "" {
		return shape.Parse(shapes.ProductsName, shapes.Products)
	}
	text, err := os.ReadFile(path)
	if err != nil {
		return nil, &shape.Error{File: path, Line: 1, Column: 1, Message: "the shape file cannot be read: " + reason(err)}
	}
	return shape.Parse(path, text)
}

// reason returns what went wrong with a file, without the path that the message around it names already.
func reason(err error) string {
	var path *fs.PathError
	if errors.As(err, &path) {
		return path.Err.Error()
	}
	return err.Error()
}

// inputFiles are the open files of a shape's sources, in its order.
type inputFiles struct {
	files []*os.File
	size  int64
}

// openFiles opens the file of every source. The error names all that cannot be opened, not the first only.
func openFiles(directory string, spec *shape.Shape) (*inputFiles, error) {
	opened := &inputFiles{}
	var errs []error
	for _, s := range spec.Sources {
		path := filepath.Join(directory, s.File)
		file, err := os.Open(path)
		if err != nil {
			errs = append(errs, &source.FileError{File: path, Message: fmt.Sprintf("%s, and source %s of %s needs it", reason(err), s.Name, spec.Name)})
			continue
		}
		opened.files = append(opened.files, file)
		info, err := file.Stat()
		if err == nil && info.IsDir() {
			err = errors.New("it is a directory")
		}
		if err != nil {
			errs = append(errs, &source.FileError{File: path, Message: reason(err)})
			continue
		}
		opened.size += info.Size()
	}
	if len(errs) > 0 {
		opened.close()
		return nil, errors.Join(errs...)
	}
	return opened, nil
}

func (f *inputFiles) close() {
	for _, file := range f.files {
		_ = file.Close() // only read
	}
}

// newReaders reads the headers. The error names all that are wrong, not the first only.
func newReaders(files *inputFiles, spec *shape.Shape, rejects source.Sink) ([]*source.Reader, error) {
	readers := make([]*source.Reader, len(spec.Sources))
	var errs []error
	for i := range spec.Sources {
		reader, err := source.NewReader(files.files[i], &spec.Sources[i], &spec.Dialect, rejects)
		readers[i] = reader
		errs = append(errs, err)
	}
	return readers, errors.Join(errs...)
}
