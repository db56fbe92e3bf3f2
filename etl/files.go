package main

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"slices"

	"systemscale/etl/internal/join"
	"systemscale/etl/internal/shape"
	"systemscale/etl/internal/source"
	"systemscale/etl/shapes"
)

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

// input is a shape with its files, open and with their headers read.
type input struct {
	spec    *shape.Shape
	readers []*source.Reader                        // in the order of the shape's sources
	size    int64                                   // of all files, in bytes, on disk
	files   []*dumpFile                             // in the order of the shape's sources
	joiner  *join.Joiner                            // of the pass; nil before it
	observe func(source int, reader *source.Reader) // is told of every row that is used; may be nil

	reading
	arranged []arranged  // by source
	streams  []io.Closer // what the readers read
}

// reading is how the files of a directory are to be read.
type reading struct {
	directory string
	shape     string // path of the shape file, or empty for the built-in one
	temp      string // directory for temporary files, or empty for the system's
	rejects   rejects
	accepts   func(gate string) bool // whether a gate was accepted by name
	say       *slog.Logger           // is told what costs time and could be mended
}

// rejects takes rejected rows, and forgets them when the files are read anew.
type rejects interface {
	source.Sink
	Reset() error
}

// counts returns the fate of every row, as far as the pass has come.
func (in *input) counts() []source.Counts {
	if in.joiner == nil {
		return []source.Counts{}
	}
	return in.joiner.Counts()
}

// openInput reads the shape file and opens the files that it names in the directory. The error names all files that cannot be
// used, not the first only.
func openInput(how reading) (*input, error) {
	spec, err := readShape(how.shape)
	if err != nil {
		return nil, err
	}
	if err := needDirectory(how.directory); err != nil {
		return nil, err
	}
	in := &input{spec: spec, reading: how, arranged: make([]arranged, len(spec.Sources))}
	var errs []error
	for i := range spec.Sources {
		file, err := in.find(&spec.Sources[i])
		in.files = append(in.files, file)
		if err == nil {
			in.size += file.size
		}
		errs = append(errs, err)
	}
	for i, file := range in.files {
		in.readers = append(in.readers, nil)
		if file != nil {
			errs = append(errs, in.open(i))
		}
	}
	if err := errors.Join(errs...); err != nil {
		in.close()
		return nil, err
	}
	return in, nil
}

func needDirectory(directory string) error {
	if info, err := os.Stat(directory); err != nil || !info.IsDir() {
		return &source.FileError{File: directory, Message: "there is no such directory: the dump has not arrived, or --csv names another place"}
	}
	return nil
}

func (in *input) find(s *shape.Source) (*dumpFile, error) {
	file, err := findFile(in.directory, s.File)
	if err != nil {
		return nil, &source.FileError{File: filepath.Join(in.directory, s.File), Message: fmt.Sprintf("%s, and source %s of %s needs it", reason(err), s.Name, in.spec.Name), Err: err}
	}
	return file, nil
}

// open opens the file of a source, in the order that it was arranged in, and reads its header.
func (in *input) open(i int) error {
	s, file, arranged := &in.spec.Sources[i], in.files[i], &in.arranged[i]
	var stream io.Reader = arranged.sorted
	options := source.Options{
		MissingColumns: in.accepts(gateMissingColumn),
		NoHeader:       in.accepts(gateEmptyFile) && s.Parent >= 0,
		Duplicates:     arranged.duplicates,
		Whole:          file.bytes,
	}
	if arranged.sorted != nil {
		options.Origins = arranged.sorted
	} else {
		text, err := file.open()
		if err != nil {
			return &source.FileError{File: file.path, Message: reason(err), Err: err}
		}
		in.streams = append(in.streams, text)
		stream = text
	}
	var sink source.Sink = in.rejects
	if file.name() != s.File {
		sink = plainNames{sink, s.File}
		named := *s // the shape stays as it was written
		named.File = file.name()
		s = &named
	}
	reader, err := source.NewReader(stream, s, &in.spec.Dialect, sink, options)
	if err != nil {
		var mistake *source.FileError
		if errors.As(err, &mistake) && mistake.Kind != "" && !in.accepts(string(mistake.Kind)) {
			mistake.Message += fmt.Sprintf(". If it is to be so, pass --accept %s", mistake.Kind)
		}
		return err
	}
	in.readers[i] = reader
	// What is read as null for want of a column must be rendered as what may be null.
	for _, name := range reader.Missing() {
		columns := in.spec.Sources[i].Columns
		columns[slices.IndexFunc(columns, func(c shape.Column) bool { return c.Name == name })].Nullable = true
	}
	return nil
}

// position returns how much of size has been read.
func (in *input) position() int64 {
	var read int64
	for i, file := range in.files {
		if sorted := in.arranged[i].sorted; sorted != nil {
			read += int64(sorted.Progress() * float64(file.size))
		} else {
			read += file.position()
		}
	}
	return read
}

// close closes what is open. A second call does nothing.
func (in *input) close() {
	for _, stream := range in.streams {
		_ = stream.Close() // only read
	}
	in.streams = nil
}
