package dump

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"time"

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

	read  atomic.Int64
	parts *parts // of a pattern; nil for one file
}

// part is one file of a pattern.
type part struct {
	*file
	headerLines int64 // with the empty lines before it
	headerSize  int64
	headerOpen  bool // it has no line end

	// Set when the end of the file has been read.
	open     bool // the last line has no line end
	lastLine int64
}

// place is the beginning of a part in the text of all.
type place struct {
	line, offset          int64 // in the text, lines before it
	skippedLines, skipped int64 // in the file, which the text does not have
}

// parts are the files of a pattern.
type parts struct {
	files  []*part
	places []place // of the files that have been read so far
}

// findOne returns the file with a name in a directory, plain or compressed. Both are an error, because
// one of them is out of date, and nothing shows which.
func findOne(directory, name string) (*file, error) {
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

// checkOne returns a *source.FileError if one file, which is called name, has changed since it was found.
func (f *file) checkOne(name string) error {
	now, err := findOne(filepath.Dir(f.path), name)
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

// at returns the file with a line of the text, and the place where it begins.
func (p *parts) at(line int64) (*part, place) {
	for i := len(p.places) - 1; i > 0; i-- {
		if p.places[i].line < line {
			return p.files[i], p.places[i]
		}
	}
	return p.files[0], place{}
}

// locate returns the name of the file on disk and the line in it of a line of the text.
func (f *file) locate(line int64) (name string, lineOf int64) {
	if f.parts == nil || line == 0 {
		return f.name(), line
	}
	p, at := f.parts.at(line)
	return p.name(), line - at.line + at.skippedLines
}
