package dump

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"systemscale/etl/internal/csvscan"
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
		return nil, &source.FileError{
			File: filepath.Join(directory, s.File), Err: err,
			Message: fmt.Sprintf("%s, and source %s needs it (%s:%d:%d)", reason(err), s.Name, spec.Name, s.FileAt.Line, s.FileAt.Column),
		}
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
	if err := file.check(s.File); err != nil {
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

// OtherFiles returns the names of the CSV files in a directory that no source of the shape reads, without the extensions of archives.
func OtherFiles(directory string, spec *shape.Shape) []string {
	entries, err := os.ReadDir(directory)
	if err != nil {
		return nil // the error about the missing file is enough
	}
	read := map[string]bool{}
	for i := range spec.Sources {
		read[spec.Sources[i].File] = true
	}
	var names []string
	for _, entry := range entries {
		if name := plainName(entry.Name()); strings.HasSuffix(name, ".csv") && !read[name] {
			names = append(names, name)
		}
	}
	return names
}
