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

	"systemscale/etl/internal/regular"
	"systemscale/etl/internal/source"
)

// file is one file of a dump on disk, which may be compressed.
type file struct {
	path  string
	size  int64         // in bytes, on disk
	state regular.State // when it was found, before anything was read of it

	declared string // encoding; "" is UTF-8
	encoding string // that of the text that was opened last; a byte order mark can differ from the declaration

	read atomic.Int64
}

// findFile returns the file with a name in a directory, plain or compressed. Both are an error, because
// one of them is out of date, and nothing shows which.
func findFile(directory, name string) (*file, error) {
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
func (f *file) open(ctx context.Context) (*stream, error) {
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
	f.read.Store(0)
	text, err := newStream(ctx, opened, f.size, &f.read)
	if err == nil {
		f.encoding = text.decode(f.declared)
	}
	return text, err
}

// check returns a *source.FileError if the file, which is called name in the shape, has changed since it was found.
func (f *file) check(name string) error {
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
func (f *file) openAside(ctx context.Context) (*stream, error) {
	other := &file{path: f.path, size: f.size, state: f.state, declared: f.declared}
	text, err := other.open(ctx)
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
