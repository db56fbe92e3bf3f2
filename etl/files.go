package main

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

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
