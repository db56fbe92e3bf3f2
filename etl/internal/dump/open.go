package dump

import (
	"context"
	"io"

	"systemscale/etl/internal/shape"
	"systemscale/etl/internal/source"
)

// findFile returns the file with a name in a directory, or those that match a pattern as one file.
func findFile(directory, name string) (*file, error) {
	if shape.IsPattern(name) {
		return findFiles(directory, name)
	}
	return findOne(directory, name)
}

// open returns the file's text from the beginning, decompressed and in UTF-8. It can be called repeatedly. The context ends every Read.
func (f *file) open(ctx context.Context) (text, error) {
	f.read.Store(0)
	if f.parts != nil {
		return f.openParts(ctx)
	}
	return f.openText(ctx, &f.read)
}

// text is the text of a file, or of the files of a pattern.
type text interface {
	io.ReadCloser
	skip(offset int64) error
}

// check returns a *source.FileError if the file, which is called name in the shape, has changed since it was found.
func (f *file) check(name string) error {
	if f.parts != nil {
		return f.checkParts(name)
	}
	return f.checkOne(name)
}

// openAside opens the text as open does, without any effect on position. The error is a *source.FileError.
func (f *file) openAside(ctx context.Context) (text, error) {
	text, err := f.again().open(ctx)
	if err != nil {
		return nil, &source.FileError{File: f.path, Message: reason(err), Err: err}
	}
	return text, nil
}

// section opens size bytes of the text from offset on.
func (f *file) section(ctx context.Context, offset, size int64) (io.ReadCloser, error) {
	text, err := f.openAside(ctx)
	if err != nil {
		return nil, err
	}
	if err := text.skip(offset); err != nil {
		_ = text.Close() // only read
		return nil, err
	}
	return struct {
		io.Reader
		io.Closer
	}{io.LimitReader(text, size), text}, nil
}
