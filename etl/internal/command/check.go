package command

import (
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"

	"systemscale/etl/internal/dump"
	"systemscale/etl/internal/nearest"
	"systemscale/etl/internal/shape"
	"systemscale/etl/internal/source"
	"systemscale/sql"
	"systemscale/sql/printable"
)

type checkCommand struct {
	Files     fileFlags      `embed:""`
	Temporary temporaryFlags `embed:""`
	Item      itemFlags      `embed:""`
}

func (c *checkCommand) Help() string {
	return `Compares a shape file with the headers of its files, without a database. It lists every disagreement, with line and column of the
shape file, and the columns of the files that are not read. Without mistakes, it reads and joins the files as a run does, and shows up to
three rows for each reason to reject rows, with a remedy. It also reports ints that JavaScript clients would round.

Exit codes: 0 no disagreement, 2 a mistake in the shape file or between it and a header, 3 a file is missing, damaged, cannot be read, or
changed during the reading, 21 more than 1 % of the rows of a file would be rejected, 26 a document would be too large.

Example:
  etl check --csv ./dump --shape ./books.yaml`
}

// Run checks the headers of one directory.
func (c *checkCommand) Run(ctx context.Context, out *output) error {
	done, err := c.Files.spool(ctx, c.Temporary.Temp)
	if err != nil {
		return err
	}
	defer done()
	spec, err := dump.ReadShape(c.Files.Shape)
	if err != nil {
		return err
	}
	if err := dump.CheckDirectory(c.Files.CSV); err != nil {
		return err
	}
	check := &check{spec: spec, directory: c.Files.CSV, headers: map[string]*header{}}
	for i := range spec.Sources {
		check.source(ctx, &spec.Sources[i])
	}
	check.report(out.stdout)
	if err := errors.Join(check.errs...); err != nil {
		return err
	}
	if err := c.read(ctx, out, check); err != nil {
		return err
	}
	fmt.Fprintf(out.stdout, "%s fits these headers\n", spec.Name)
	return nil
}

// read reads and joins the files, reports the rows that would be rejected, and warns of ints that clients would round.
func (c *checkCommand) read(ctx context.Context, out *output, check *check) error {
	options := c.Files.options(out)
	options.Temp, options.MaxDocument = c.Temporary.Temp, int64(c.Item.MaxDocument)
	d, err := dump.Open(ctx, options)
	if err != nil {
		return err
	}
	defer d.Close()
	return d.Arranged(ctx, func(d *dump.Dump) error {
		found := &problems{spec: check.spec, columns: map[string][]string{}}
		for file, h := range check.headers {
			found.columns[file] = h.Names
		}
		progress := newProgress(out.stderr, d.Size(), "check")
		err := d.Pass(ctx, dump.Handlers{
			Rejects: found, Tick: func() { progress.at(d.Position()) },
			Document: func(int, sql.ID, uint64, []byte) error { return nil },
		})
		progress.finish(err)
		counts := d.Counts()
		switch {
		case err != nil && (!errors.As(err, new(*source.FileError)) || len(counts) == 0):
			return err
		case counts[0].Read == 0:
			return readApart(ctx, options)
		}
		found.report(out.stdout)
		d.WarnOfWide()
		if err = errors.Join(err, d.RefuseCutFiles()); err == nil {
			err = tooManyRejects(counts)
		}
		return err
	})
}

// readApart reads files without items, of which the headers alone are compared, to their ends.
func readApart(ctx context.Context, options dump.Options) error {
	d, err := dump.Open(ctx, options)
	if err != nil {
		return err
	}
	defer d.Close()
	if err := d.Read(); err != nil {
		return err
	}
	d.WarnOfWide()
	return d.RefuseCutFiles()
}

// check compares a shape with headers.
type check struct {
	spec      *shape.Shape
	directory string
	headers   map[string]*header // by the file's name in the shape; nil for a file that cannot be used
	files     []*header          // in the shape's order
	errs      []error
}

// header is the header of a file with the columns that a source reads.
type header struct {
	dump.Header
	read map[string]bool
}

func (c *check) source(ctx context.Context, s *shape.Source) {
	h, known := c.headers[s.File]
	if !known || c.spec.DialectOf(s).NoHeader { // without a header, each source names the columns itself
		var err error
		if h, err = c.open(ctx, s); err != nil {
			c.errs = append(c.errs, err)
		} else {
			c.files = append(c.files, h)
		}
		c.headers[s.File] = h
	}
	if h == nil {
		return
	}
	var missing []shape.Column
	for _, column := range s.Columns {
		at := slices.Index(h.Names, column.Name)
		switch {
		case column.LookedUp:
			continue
		case at < 0:
			missing = append(missing, column)
			continue
		case slices.Contains(h.Names[at+1:], column.Name):
			c.mistake(column.At, "column %s of source %s: %s:%d has a duplicate column of this name", column.Name, s.Name, shape.FileName(h.File), h.Line)
		}
		h.read[column.Name] = true
	}
	for _, column := range missing {
		c.mistake(column.At, "column %s of source %s: %s:%d has no such column; %s",
			column.Name, s.Name, shape.FileName(h.File), h.Line, c.remedy(s, h, column.Name))
	}
}

// remedy suggests what to do about a column that a header lacks.
func (c *check) remedy(s *shape.Source, h *header, column string) string {
	if hint := source.SpacesHint(c.spec.DialectOf(s), h.Names, column); hint != "" {
		return hint
	}
	suggestion := nearest.Remedy(column, h.unread())
	if strings.HasSuffix(suggestion, "?") {
		return suggestion
	}
	return suggestion + source.RowHint(s, h.Names)
}

func (c *check) mistake(at shape.Position, format string, args ...any) {
	c.errs = append(c.errs, &shape.Error{File: c.spec.Name, Line: at.Line, Column: at.Column, Message: fmt.Sprintf(format, args...)})
}

// open reads the header of a source's file. The error is a *source.FileError.
func (c *check) open(ctx context.Context, s *shape.Source) (*header, error) {
	h, err := dump.ReadHeader(ctx, c.directory, c.spec, s)
	if err == nil {
		return &header{Header: *h, read: map[string]bool{}}, nil
	}
	return nil, err
}

// unread returns the columns that no source reads.
func (h *header) unread() []string {
	var names []string
	for _, name := range h.Names {
		if !h.read[name] {
			names = append(names, name)
		}
	}
	return names
}

// report prints each file with its unread columns.
func (c *check) report(w io.Writer) {
	for _, h := range c.files {
		unread := "all are read"
		if names := h.unread(); len(names) > 0 {
			unread = "not read: " + printable.Names(names)
		}
		fmt.Fprintf(w, "%s: %s, %s\n", shape.FileName(h.File), plural(int64(len(h.Names)), "column"), unread)
	}
}
