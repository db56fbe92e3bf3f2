package dump

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"
	"sync/atomic"

	"systemscale/etl/internal/csvscan"
	"systemscale/etl/internal/shape"
	"systemscale/etl/internal/source"
	"systemscale/sql/printable"
)

// Several files that match a pattern are read as one text: the header of the first one, and then the rows of all, in the order of the
// files' names. Lines and offsets within the package are those of this text. place has those of the files.

// noMatch is the error about a pattern without files.
type noMatch struct{}

func (noMatch) Error() string        { return "no file matches" }
func (noMatch) Is(target error) bool { return target == fs.ErrNotExist }

// findFiles returns the files in a directory that match a pattern as one file.
func findFiles(directory, pattern string) (*file, error) {
	names, err := matching(directory, pattern)
	if err != nil {
		return nil, err
	}
	if len(names) == 0 {
		return nil, noMatch{}
	}
	all := &file{path: filepath.Join(directory, pattern), parts: &parts{}}
	for _, name := range names {
		found, err := findOne(directory, name)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", name, err)
		}
		all.size += found.size
		all.parts.files = append(all.parts.files, &part{file: found})
	}
	return all, nil
}

// matching returns the names of the files that match a pattern, without the extensions of archives, in order.
func matching(directory, pattern string) ([]string, error) {
	entries, err := os.ReadDir(directory)
	if err != nil {
		return nil, err
	}
	var names []string
	for _, entry := range entries {
		name := plainName(entry.Name())
		if found, _ := path.Match(pattern, name); found && !entry.IsDir() && !strings.HasPrefix(name, ".") && name != source.RejectLog {
			names = append(names, name)
		}
	}
	slices.Sort(names)
	return slices.Compact(names), nil
}

// readHeaders reads the header of every file of a pattern. All must have the same columns in the same order.
func (f *file) readHeaders(ctx context.Context, s *shape.Source, dialect *shape.Dialect) error {
	var first []string
	for i, p := range f.parts.files {
		p.declared = f.declared
		names, err := p.readHeader(ctx, dialect)
		if err != nil {
			return err
		}
		if i == 0 {
			first = names
			f.encoding = p.encoding
		}
		if !slices.Equal(names, first) {
			return &source.FileError{File: p.path, Line: p.headerLines, Message: fmt.Sprintf(
				"the header has the columns %s, and that of %s has %s: all files of source %s need the same columns in the same order",
				printable.Names(names), f.parts.files[0].name(), printable.Names(first), s.Name)}
		}
	}
	return nil
}

// readHeader determines the part of a file before its rows. It returns the names in the header, if there is one.
func (p *part) readHeader(ctx context.Context, dialect *shape.Dialect) ([]string, error) {
	text, err := p.openText(ctx, new(atomic.Int64))
	if err != nil {
		return nil, &source.FileError{File: p.path, Message: reason(err), Err: err}
	}
	defer func() { _ = text.Close() }() // only read
	scanner := csvscan.New(text, source.Notation(dialect))
	const mark = "\xef\xbb\xbf"
	if dialect.NoHeader {
		if begin, _ := scanner.Ahead(len(mark)); bytes.HasPrefix(begin, []byte(mark)) {
			p.headerSize = int64(len(mark))
		}
		return nil, nil
	}
	if !scanner.Scan() {
		if err := scanner.Err(); err != nil {
			return nil, &source.FileError{File: p.path, Message: "the file cannot be read: " + reason(err), Err: err}
		}
		return nil, &source.FileError{File: p.path, Message: "the file is empty: it has no header"}
	}
	p.headerLines = scanner.Line() + int64(bytes.Count(scanner.Raw(), []byte{'\n'})) // with records: quoted, it may have several
	p.headerSize, p.headerOpen = scanner.BytesRead(), !scanner.Ended()
	if form := source.Form(scanner.Raw()); form != "" {
		return nil, &source.FileError{File: p.path, Line: p.headerLines, Message: form}
	}
	var names []string
	for _, field := range scanner.Fields() {
		names = append(names, string(field.Text))
	}
	return names, nil
}

// joined is the text of the files of a pattern. It is used by one goroutine.
type joined struct {
	ctx          context.Context
	all          *file
	next         int // the part after the current one
	current      *stream
	line, offset int64 // at the end of the text so far
	last         byte
}

// openParts returns the text of all files of a pattern.
func (f *file) openParts(ctx context.Context) (*joined, error) {
	j := &joined{ctx: ctx, all: f, last: '\n'}
	return j, j.open()
}

// open opens the next part and passes over its header, unless it is the first one.
func (j *joined) open() (err error) {
	parts := j.all.parts
	p := parts.files[j.next]
	if j.current, err = p.openText(j.ctx, &j.all.read); err != nil {
		return err
	}
	at := place{line: j.line, offset: j.offset}
	if j.next > 0 {
		at.skippedLines, at.skipped = p.headerLines, p.headerSize
		if _, err := io.CopyN(io.Discard, j.current, at.skipped); err != nil {
			return err
		}
	}
	if j.next == len(parts.places) {
		parts.places = append(parts.places, at)
	}
	j.next++
	return nil
}

// Read implements io.Reader.
func (j *joined) Read(p []byte) (int, error) {
	for {
		n, err := j.current.Read(p)
		if n > 0 {
			j.take(p[:n])
			return n, nil
		}
		name := j.all.parts.files[j.next-1].name()
		if err != nil && !errors.Is(err, io.EOF) {
			return 0, fmt.Errorf("%s: %w", name, err)
		}
		if err == nil {
			continue
		}
		j.end()
		if j.next == len(j.all.parts.files) {
			return 0, io.EOF
		}
		if err := errors.Join(j.current.Close(), j.open()); err != nil {
			return 0, fmt.Errorf("%s: %w", j.all.parts.files[j.next-1].name(), err)
		}
		if j.last != '\n' {
			p[0] = '\n'
			j.take(p[:1])
			j.all.parts.places[j.next-1].line, j.all.parts.places[j.next-1].offset = j.line, j.offset
			return 1, nil
		}
	}
}

func (j *joined) take(text []byte) {
	j.line += int64(bytes.Count(text, []byte{'\n'}))
	j.offset += int64(len(text))
	j.last = text[len(text)-1]
}

// end notes how the current part ends.
func (j *joined) end() {
	p, at := j.all.parts.files[j.next-1], j.all.parts.places[j.next-1]
	p.open = j.last != '\n' || p.headerOpen
	p.lastLine = j.line - at.line + at.skippedLines
	if j.last != '\n' {
		p.lastLine++
	}
}

// skip passes over the first bytes of the text.
func (j *joined) skip(offset int64) error {
	_, err := io.CopyN(io.Discard, j, offset)
	return err
}

// Close closes the current part.
func (j *joined) Close() error { return j.current.Close() }

// checkParts returns the change of the files of a pattern since they were found, or nil.
func (f *file) checkParts(pattern string) error {
	now, err := matching(filepath.Dir(f.path), pattern)
	if err != nil {
		return &source.FileError{File: f.path, Message: changedError(reason(err)).Error(), Err: err}
	}
	var errs []error
	for _, p := range f.parts.files {
		name := plainName(p.name())
		errs = append(errs, p.checkOne(name))
		now = slices.DeleteFunc(now, func(other string) bool { return other == name })
	}
	for _, added := range now {
		err := changedError("it was added")
		errs = append(errs, &source.FileError{File: filepath.Join(filepath.Dir(f.path), added), Message: err.Error(), Err: err})
	}
	return errors.Join(errs...)
}
