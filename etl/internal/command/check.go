package command

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/dustin/go-humanize/english"

	"systemscale/etl/internal/csvscan"
	"systemscale/etl/internal/shape"
	"systemscale/etl/internal/source"
	"systemscale/sql/printable"
)

type checkCommand struct {
	CSV   string `name:"csv" required:"" type:"path" placeholder:"DIR" help:"Directory that holds the CSV files."`
	Shape string `placeholder:"FILE" help:"Shape file. Default: the built-in catalog of products."`
}

func (c *checkCommand) Help() string {
	return `Compares a shape file with the headers of the files that it names, without a database. It lists all that does not fit, with line
and column of the shape file, and the columns of the files that nothing reads. If all fits, it reads the files for ints that
clients in JavaScript would round.

Exit codes: 0 it fits, 2 a mistake in the shape file or between it and a header, 3 a file is missing, damaged, cannot be read, or
was written to meanwhile.

Example:
  etl check --csv ./dump --shape ./books.yaml`
}

// Run checks the headers of one directory.
func (c *checkCommand) Run(ctx context.Context, out *output) error {
	spec, err := readShape(c.Shape)
	if err != nil {
		return err
	}
	if err := needDirectory(c.CSV); err != nil {
		return err
	}
	check := &check{spec: spec, directory: c.CSV, headers: map[string]*header{}}
	for i := range spec.Sources {
		check.source(ctx, &spec.Sources[i])
	}
	check.report(out.stdout)
	if err := errors.Join(check.errs...); err != nil {
		return err
	}
	if err := c.readNumbers(ctx, out); err != nil {
		return err
	}
	fmt.Fprintf(out.stdout, "%s fits these headers\n", spec.Name)
	return nil
}

// readNumbers reads the files to their ends, and warns of ints that clients would round.
func (c *checkCommand) readNumbers(ctx context.Context, out *output) error {
	in, err := openInput(ctx, reading{directory: c.CSV, shape: c.Shape, rejects: &countedRejects{}, accepts: acceptsNone, say: out.log()})
	if err != nil {
		return err
	}
	defer in.close()
	if err := in.unchanged(in.readThrough()); err != nil {
		return err
	}
	in.warnOfWide()
	return in.refuseCutFiles()
}

// readThrough reads each file to its end by itself.
func (in *input) readThrough() error {
	for _, reader := range in.readers {
		for more := true; more; {
			var err error
			if more, err = reader.Next(); err != nil {
				return err
			}
			reader.Release()
		}
		in.readApart = append(in.readApart, reader.Counts())
	}
	return nil
}

// check holds what was found so far.
type check struct {
	spec      *shape.Shape
	directory string
	headers   map[string]*header // by the file's name in the shape; nil for a file that cannot be used
	files     []*header          // in the shape's order
	errs      []error
}

// header is the first line of a file.
type header struct {
	file  string // its path, or that of its compressed form
	line  int64
	names []string
	read  map[string]bool // by some source
}

func (c *check) source(ctx context.Context, s *shape.Source) {
	h, known := c.headers[s.File]
	if !known {
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
		at := slices.Index(h.names, column.Name)
		switch {
		case at < 0:
			missing = append(missing, column)
			continue
		case slices.Contains(h.names[at+1:], column.Name):
			c.mistake(column.At, "column %s of source %s: %s:%d has it twice, and which of the two is meant nobody can tell", column.Name, s.Name, h.file, h.line)
		}
		h.read[column.Name] = true
	}
	for _, column := range missing {
		c.mistake(column.At, "column %s of source %s: %s:%d has no such column; %s", column.Name, s.Name, h.file, h.line, remedy(column.Name, h.unread()))
	}
}

func (c *check) mistake(at shape.Position, format string, args ...any) {
	c.errs = append(c.errs, &shape.Error{File: c.spec.Name, Line: at.Line, Column: at.Column, Message: fmt.Sprintf(format, args...)})
}

// open reads the header of a source's file. The error is a *source.FileError.
func (c *check) open(ctx context.Context, s *shape.Source) (*header, error) {
	path := filepath.Join(c.directory, s.File)
	file, err := findFile(c.directory, s.File)
	if err != nil {
		message := fmt.Sprintf("%s, and source %s needs it (%s:%d:%d)", reason(err), s.Name, c.spec.Name, s.FileAt.Line, s.FileAt.Column)
		if errors.Is(err, fs.ErrNotExist) {
			message += "; " + remedy(s.File, c.otherFiles())
		}
		return nil, &source.FileError{File: path, Err: err, Message: message}
	}
	stream, err := file.open(ctx)
	if err != nil {
		return nil, &source.FileError{File: file.path, Err: err, Message: reason(err)}
	}
	defer func() { _ = stream.Close() }() // only read
	scanner := csvscan.New(stream, csvscan.Dialect{Delimiter: c.spec.Dialect.Delimiter, TrimSpaces: c.spec.Dialect.TrimSpaces})
	if !scanner.Scan() {
		if err := scanner.Err(); err != nil {
			return nil, &source.FileError{File: file.path, Err: err, Message: "the file cannot be read: " + reason(err)}
		}
		return nil, &source.FileError{File: file.path, Message: "the file is empty: not even a header is there"}
	}
	if err := file.check(s.File); err != nil {
		return nil, err
	}
	if !scanner.Ended() {
		return nil, &source.FileError{File: file.path, Line: scanner.Line(), Message: string(source.FaultHeader)}
	}
	if form := source.Form(scanner.Raw()); form != "" {
		return nil, &source.FileError{File: file.path, Line: scanner.Line(), Message: form}
	}
	h := &header{file: file.path, line: scanner.Line(), read: map[string]bool{}}
	for _, field := range scanner.Fields() {
		h.names = append(h.names, string(field.Text))
	}
	return h, nil
}

// otherFiles returns the names of the files in the directory that no source names, without the endings of compression.
func (c *check) otherFiles() []string {
	entries, err := os.ReadDir(c.directory)
	if err != nil {
		return nil // the error about the file says enough
	}
	var names []string
	for _, entry := range entries {
		name := entry.Name()
		for _, ending := range compressed {
			name = strings.TrimSuffix(name, ending)
		}
		if strings.HasSuffix(name, ".csv") && !slices.ContainsFunc(c.spec.Sources, func(s shape.Source) bool { return s.File == name }) {
			names = append(names, name)
		}
	}
	return names
}

// unread returns the columns that no source reads.
func (h *header) unread() []string {
	var names []string
	for _, name := range h.names {
		if !h.read[name] {
			names = append(names, name)
		}
	}
	return names
}

// report prints each file with the columns of it that nothing reads.
func (c *check) report(w io.Writer) {
	for _, h := range c.files {
		unread := "all are read"
		if names := h.unread(); len(names) > 0 {
			unread = "nothing reads " + printable.Names(names)
		}
		fmt.Fprintf(w, "%s: %s, %s\n", h.file, english.Plural(len(h.names), "column", ""), unread)
	}
}

// remedy says what might be meant by a name that is not there, given the names that are there and not used.
func remedy(name string, unused []string) string {
	if len(unused) == 0 {
		return "nothing there is left unused that could be meant"
	}
	nearest := slices.MinFunc(unused, func(a, b string) int { return distance(name, a) - distance(name, b) })
	if distance(name, nearest)*3 <= len(name) {
		return fmt.Sprintf("did you mean %s?", printable.Name(nearest))
	}
	return "there and unused: " + printable.Names(unused)
}

// distance returns how many letters must be put in, left out, replaced or exchanged with a neighbour to make b of a
// (the optimal string alignment). Case, spaces and underscores do not count: product_id is productId.
func distance(a, b string) int {
	plain := strings.NewReplacer("_", "", " ", "")
	from, to := []rune(plain.Replace(strings.ToLower(a))), []rune(plain.Replace(strings.ToLower(b)))
	rows := make([][]int, len(from)+1)
	for i := range rows {
		rows[i] = make([]int, len(to)+1)
		for j := range rows[i] {
			switch {
			case i == 0 || j == 0:
				rows[i][j] = i + j
				continue
			case from[i-1] == to[j-1]:
				rows[i][j] = rows[i-1][j-1]
			default:
				rows[i][j] = 1 + min(rows[i-1][j-1], rows[i-1][j], rows[i][j-1])
			}
			if i > 1 && j > 1 && from[i-1] == to[j-2] && from[i-2] == to[j-1] {
				rows[i][j] = min(rows[i][j], 1+rows[i-2][j-2])
			}
		}
	}
	return rows[len(from)][len(to)]
}
