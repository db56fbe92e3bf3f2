package dump

import (
	"context"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"systemscale/etl/internal/source"
)

// TextExtensions are the extensions of the files that may hold rows; ".gz" or ".zst" may follow.
var TextExtensions = []string{".csv", ".tsv", ".tab", ".psv", ".txt", ".dat"}

// Text is a file that may hold rows, plain or compressed.
type Text struct {
	Name string // without the extension of an archive, as a shape file names it
	file *file
}

// Texts returns the files of a directory that may hold rows, by name. The error has a *source.FileError for each file that cannot be
// used; the others are returned with it.
func Texts(directory string) ([]Text, []error) {
	if err := CheckDirectory(directory); err != nil {
		return nil, []error{err}
	}
	entries, err := os.ReadDir(directory)
	if err != nil {
		return nil, []error{&source.FileError{File: directory, Message: "the directory cannot be read: " + reason(err), Err: err}}
	}
	var names []string
	for _, entry := range entries {
		name := plainName(entry.Name())
		if slices.Contains(TextExtensions, strings.ToLower(filepath.Ext(name))) && !entry.IsDir() {
			names = append(names, name)
		}
	}
	slices.Sort(names)
	var texts []Text
	var errs []error
	for _, name := range slices.Compact(names) {
		file, err := findFile(directory, name)
		if err != nil {
			errs = append(errs, &source.FileError{File: filepath.Join(directory, name), Message: reason(err), Err: err})
			continue
		}
		texts = append(texts, Text{Name: name, file: file})
	}
	return texts, errs
}

// Size returns the size of the file on disk, in bytes.
func (t *Text) Size() int64 { return t.file.size }

// Position returns how many bytes of Size the last Open has read.
func (t *Text) Position() int64 { return t.file.position() }

// Open opens the text from the beginning, decompressed and in UTF-8. encoding is that of the file, as in a shape file; "" is UTF-8. A byte
// order mark counts more. The context ends every Read. The error is a *source.FileError.
func (t *Text) Open(ctx context.Context, encoding string) (io.ReadCloser, error) {
	t.file.declared = encoding
	text, err := t.file.open(ctx)
	if err != nil {
		return nil, &source.FileError{File: t.file.path, Message: reason(err), Err: err}
	}
	return text, nil
}
