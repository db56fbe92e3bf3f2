package dump

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"systemscale/etl/internal/csvscan"
	"systemscale/etl/internal/nearest"
	"systemscale/etl/internal/shape"
	"systemscale/etl/internal/source"
)

// Header is the first line of a file.
type Header struct {
	File  string // path of the file, or of its compressed form
	Line  int64
	Names []string // of the columns; those of the shape if the file has no header
}

// ReadHeader reads the header of the file of a source in a directory, without the checks of Open. The error is a *source.FileError; it
// wraps fs.ErrNotExist if there is no such file.
func ReadHeader(ctx context.Context, directory string, spec *shape.Shape, s *shape.Source) (*Header, error) {
	file, err := findFile(directory, s.File)
	if err != nil {
		return nil, notFound(directory, spec, s, err)
	}
	whole := file
	if file.parts != nil {
		file = file.parts.files[0].file
	}
	file.declared = spec.DialectOf(s).Encoding
	text, err := file.open(ctx)
	if err != nil {
		return nil, &source.FileError{File: file.path, Err: err, Message: reason(err)}
	}
	defer func() { _ = text.Close() }() // only read
	dialect := spec.DialectOf(s)
	scanner := csvscan.New(text, source.Notation(dialect))
	if !scanner.Scan() {
		if err := scanner.Err(); err != nil {
			return nil, &source.FileError{File: file.path, Err: err, Message: "the file cannot be read: " + reason(err)}
		}
		message := "the file is empty: it has no header"
		if dialect.NoHeader {
			message = "the file is empty"
		}
		return nil, &source.FileError{File: file.path, Message: message}
	}
	if err := whole.check(s.File); err != nil {
		return nil, err
	}
	if dialect.NoHeader {
		beginning := scanner.Raw()
		if scanner.Ended() {
			beginning = append(beginning, '\n')
		}
		if form := source.Beginning(beginning); form != "" {
			return nil, &source.FileError{File: file.path, Line: scanner.Line(), Message: form}
		}
		return &Header{File: file.path, Line: scanner.Line(), Names: s.FileColumns()}, nil
	}
	if form := source.Form(scanner.Raw()); form != "" {
		return nil, &source.FileError{File: file.path, Line: scanner.Line(), Message: form}
	}
	if !scanner.Ended() {
		return nil, &source.FileError{File: file.path, Line: scanner.Line(), Message: string(source.FaultHeader)}
	}
	h := &Header{File: file.path, Line: scanner.Line()}
	for _, field := range scanner.Fields() {
		h.Names = append(h.Names, string(field.Text))
	}
	return h, nil
}

// notFound returns the error about a source without a file.
func notFound(directory string, spec *shape.Shape, s *shape.Source, err error) *source.FileError {
	message := fmt.Sprintf("%s, and source %s needs it (%s:%d:%d)", reason(err), s.Name, spec.Name, s.FileAt.Line, s.FileAt.Column)
	if errors.Is(err, fs.ErrNotExist) {
		message += "; "
		if others := otherFiles(directory, spec); len(others) > 0 {
			message += nearest.Remedy(s.File, others)
		} else {
			message += "the directory has no other file"
		}
	}
	return &source.FileError{File: filepath.Join(directory, s.File), Err: err, Message: message}
}

// otherFiles returns the names of the files in a directory that no source of the shape reads, without the extensions of archives. The
// shape file is none of them.
func otherFiles(directory string, spec *shape.Shape) []string {
	entries, err := os.ReadDir(directory)
	if err != nil {
		return nil // the error about the missing file is enough
	}
	read := map[string]bool{}
	for i := range spec.Sources {
		name := spec.Sources[i].File
		read[name] = true
		if shape.IsPattern(name) {
			names, _ := matching(directory, name)
			for _, name := range names {
				read[name] = true
			}
		}
	}
	var names []string
	for _, entry := range entries {
		name := plainName(entry.Name())
		if entry.IsDir() || read[name] || strings.HasPrefix(name, ".") || filepath.Join(directory, name) == filepath.Clean(spec.Name) {
			continue
		}
		if !slices.Contains(names, name) {
			names = append(names, name)
		}
	}
	return names
}
