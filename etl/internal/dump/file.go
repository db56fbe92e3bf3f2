package dump

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"time"

	"systemscale/etl/internal/regular"
	"systemscale/etl/internal/shape"
	"systemscale/etl/internal/source"
)

// file is one file of a dump on disk, which may be compressed.
type file struct {
	path  string
	size  int64         // in bytes, on disk
	state regular.State // when it was found, before anything was read of it

	declared string // encoding; "" is UTF-8
	encoding string // that of the text that was opened last; a byte order mark can differ from the declaration

	read  atomic.Int64
	parts *parts // of a pattern; nil for one file
}

// findFile returns the file with a name in a directory, plain or compressed. Both are an error, because
// one of them is out of date, and nothing shows which.
func findFile(directory, name string) (*file, error) {
	if shape.IsPattern(name) {
		return findFiles(directory, name)
	}
	plain := filepath.Join(directory, name)
	var found []string
	var missing error
	for _, extension := range append([]string{""}, archives...) {
		_, err := os.Stat(plain + extension)
		switch {
		case err == nil:
			found = append(found, plain+extension)
		case extension == "" || !errors.Is(err, fs.ErrNotExist):
			missing = errors.Join(missing, err)
		}
	}
	switch {
	case len(found) == 0:
		return nil, missing
	case len(found) > 1:
		return nil, fmt.Errorf("%s both exist: keep only one of them", strings.Join(found, " and "))
	}
	state, err := regular.Look(found[0])
	if errors.Is(err, regular.ErrNotRegular) {
		err = fmt.Errorf("%w, and it may have to be read twice", err)
	}
	if err != nil {
		return nil, err
	}
	return &file{path: found[0], size: state.Size(), state: state}, nil
}

// name returns the file's name without its directory.
func (f *file) name() string { return filepath.Base(f.path) }

// position returns how many bytes of the file on disk have been read of the stream that was opened last.
func (f *file) position() int64 { return f.read.Load() }

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

// openText opens one file. read counts the bytes that are read from the disk.
func (f *file) openText(ctx context.Context, read *atomic.Int64) (*stream, error) {
	opened, err := regular.Open(f.path)
	if err != nil {
		return nil, err
	}
	state, err := regular.StateOf(opened)
	if err == nil {
		err = changedError(f.state.Differs(state))
	}
	if err != nil {
		_ = opened.Close() // nothing was written
		return nil, err
	}
	text, err := newStream(ctx, opened, f.size, read)
	if err == nil {
		f.encoding = text.decode(f.declared)
	}
	return text, err
}

// check returns a *source.FileError if the file, which is called name in the shape, has changed since it was found.
func (f *file) check(name string) error {
	if f.parts != nil {
		return f.checkParts(name)
	}
	now, err := findFile(filepath.Dir(f.path), name)
	switch {
	case err != nil:
		err = changedError(reason(err))
	case now.path != f.path:
		err = changedError("it is " + now.name() + " now")
	default:
		err = changedError(f.state.Differs(now.state))
	}
	if err != nil {
		return &source.FileError{File: f.path, Message: err.Error(), Err: err}
	}
	return nil
}

// openAside opens the text as open does, without any effect on position. The error is a *source.FileError.
func (f *file) openAside(ctx context.Context) (text, error) {
	text, err := f.again().open(ctx)
	if err != nil {
		return nil, &source.FileError{File: f.path, Message: reason(err), Err: err}
	}
	return text, nil
}

// again returns the file for another reading, with a position of its own.
func (f *file) again() *file {
	return &file{path: f.path, size: f.size, state: f.state, parts: f.parts, declared: f.declared, encoding: f.encoding}
}

// unsettled returns the duration from now during which a write might not change the times of the file.
func (f *file) unsettled(now time.Time) time.Duration {
	if f.parts == nil {
		return f.state.Unsettled(now)
	}
	var longest time.Duration
	for _, p := range f.parts.files {
		longest = max(longest, p.unsettled(now))
	}
	return longest
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
