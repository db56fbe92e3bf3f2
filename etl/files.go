package main

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"

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
	readers []*source.Reader // in the order of the shape's sources
	size    int64            // of all files, in bytes, on disk
	files   []*dumpFile      // in the order of the shape's sources; open reads one again from its beginning
	streams []io.Closer      // what the readers read
	joiner  *join.Joiner     // of the pass; nil before it
}

// counts returns the fate of every row, as far as the pass has come.
func (in *input) counts() []source.Counts {
	if in.joiner == nil {
		return []source.Counts{}
	}
	return in.joiner.Counts()
}

// openInput reads the shape file, or the built-in one for an empty path, and opens the files that it names in a directory.
// Rows that are rejected later go to rejects; accepts says which gates were accepted by name. The error names all files
// that cannot be used, not the first only.
func openInput(directory, shapePath string, rejects source.Sink, accepts func(gate string) bool) (*input, error) {
	spec, err := readShape(shapePath)
	if err != nil {
		return nil, err
	}
	if err := needDirectory(directory); err != nil {
		return nil, err
	}
	in := &input{spec: spec}
	var errs []error
	for i := range spec.Sources {
		reader, err := in.open(directory, &spec.Sources[i], rejects, accepts)
		in.readers = append(in.readers, reader)
		errs = append(errs, err)
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

func (in *input) open(directory string, s *shape.Source, rejects source.Sink, accepts func(gate string) bool) (*source.Reader, error) {
	path := filepath.Join(directory, s.File)
	file, err := findFile(directory, s.File)
	if err != nil {
		return nil, &source.FileError{File: path, Message: fmt.Sprintf("%s, and source %s of %s needs it", reason(err), s.Name, in.spec.Name), Err: err}
	}
	in.files = append(in.files, file)
	in.size += file.size
	stream, err := file.open()
	if err != nil {
		return nil, &source.FileError{File: file.path, Message: reason(err), Err: err}
	}
	in.streams = append(in.streams, stream)
	if file.path != path {
		rejects = plainNames{rejects, s.File}
		named := *s // the shape stays as it was written
		named.File = file.name()
		s = &named
	}
	reader, err := source.NewReader(stream, s, &in.spec.Dialect, rejects, source.Options{
		MissingColumns: accepts(gateMissingColumn),
		NoHeader:       accepts(gateEmptyFile) && s.Parent >= 0,
	})
	var mistake *source.FileError
	if errors.As(err, &mistake) && mistake.Kind != "" && !accepts(string(mistake.Kind)) {
		mistake.Message += fmt.Sprintf(". If it is to be so, pass --accept %s", mistake.Kind)
	}
	return reader, err
}

// position returns how much of size has been read.
func (in *input) position() int64 {
	var read int64
	for _, file := range in.files {
		read += file.position()
	}
	return read
}

func (in *input) close() {
	for _, stream := range in.streams {
		_ = stream.Close() // only read
	}
}
