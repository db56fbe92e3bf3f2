// Package dump reads a directory of CSV files as one joined stream: the documents of every item, in ascending order of id.
//
// Open reads the shape file, finds the files, plain or compressed, and reads their headers. Pass reads all of them once, joins them and
// renders the documents. Files whose rows are not in the order that the join needs end a pass with a *join.Disorder: Arranged then sorts
// them on disk and starts again. Memory stays bounded for any content. All files and the shape file must stay as they are from
// Open to the end of the last pass: a change is a *source.FileError.
package dump

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"slices"
	"strings"
	"time"

	"systemscale/etl/internal/charset"
	"systemscale/etl/internal/join"
	"systemscale/etl/internal/lookup"
	"systemscale/etl/internal/regular"
	"systemscale/etl/internal/shape"
	"systemscale/etl/internal/source"
)

// Options configure the reading of a directory.
type Options struct {
	Directory string
	Shape     string // path of the shape file, or empty for the built-in one
	Temp      string // directory for temporary files, or empty for the system's

	// Accepts reports whether a kind of mistake in a file is accepted. Nil accepts none.
	Accepts func(source.Kind) bool

	// MaxDocument is the size of a document, in bytes, at which reading an item ends; 0 means no limit.
	MaxDocument int64

	Logger *slog.Logger // gets warnings
}

// Dump is a shape with its files, open and with their headers read. It is used by one goroutine.
type Dump struct {
	options    Options
	spec       *shape.Shape
	shapeState regular.State    // when the shape file was read
	files      []*file          // in the order of the shape's sources
	arranged   []arrangement    // by source
	readers    []*source.Reader // by source
	// early fills the tables that sorting needs. Filling the tables sets it.
	early func(context.Context) (tables []*lookup.Table, done func(), err error)

	streams []io.Closer // open for the readers
	second  bool        // the files have been read before, in this arrangement

	rejects   source.Sink     // of the pass
	keys      *join.Keys      // of the joins of the files, also by other Dumps
	joiner    *join.Joiner    // of the pass; nil before it
	evidence  []string        // the first rejected rows of the root source
	readApart []source.Counts // of files that were read without a join

	tables []*lookup.Table // of the shape; nil before they are filled
	apart  []*Dump         // readings of files before the pass, to fill the tables
	skips  []bool          // by source: it is read as a file without rows; nil for none
}

// arrangement is the preparation of a source for the join.
type arrangement struct {
	order  order
	sorted *sortedFile // nil for a file that is read as it is
}

// Open reads the shape file and opens the files that it names. The error is a *shape.Error, or has a *source.FileError for each
// file that cannot be used. The context bounds all reading of the files. The Dump must be closed.
func Open(ctx context.Context, options Options) (*Dump, error) {
	spec, state, err := readShape(options.Shape)
	if err != nil {
		return nil, err
	}
	if err := CheckDirectory(options.Directory); err != nil {
		return nil, err
	}
	d := &Dump{options: options, spec: spec, shapeState: state, arranged: make([]arrangement, len(spec.Sources)), rejects: source.Discard{}, keys: join.NewKeys()}
	// All files are found before one is read: a dump is complete or unusable.
	var errs []error
	for i := range spec.Sources {
		file, err := d.find(&spec.Sources[i])
		d.files = append(d.files, file)
		errs = append(errs, err)
	}
	if err := d.settle(ctx); err != nil {
		return nil, err
	}
	d.readers = make([]*source.Reader, len(d.files))
	for i, file := range d.files {
		if file != nil {
			errs = append(errs, d.openSource(ctx, i))
		}
	}
	if err := d.unchanged(errors.Join(errs...)); err != nil {
		d.Close()
		return nil, err
	}
	return d, nil
}

// Spec returns the shape.
func (d *Dump) Spec() *shape.Shape { return d.spec }

// Size returns the size of all files on disk, in bytes.
func (d *Dump) Size() int64 {
	var size int64
	for _, file := range d.files {
		size += file.size
	}
	for _, reading := range readingsOf(d.spec) {
		if reading.apart {
			for _, i := range reading.Reads {
				size += d.files[i].size
			}
		}
	}
	return size
}

// Position returns how many bytes of Size have been read.
func (d *Dump) Position() int64 {
	var read int64
	for i, file := range d.files {
		if sorted := d.arranged[i].sorted; sorted != nil {
			read += int64(sorted.progress() * float64(file.size))
		} else {
			read += file.position()
		}
	}
	for _, apart := range d.apart {
		read += apart.Position()
	}
	return read
}

// FileName returns the name of a source's file on disk.
func (d *Dump) FileName(source int) string { return d.files[source].name() }

// Place returns the name of the file on disk and the line in it of a line that a Reader of a source has returned. They differ from
// FileName and the line for a source of several files.
func (d *Dump) Place(source int, line int64) (name string, lineOf int64) {
	return d.files[source].locate(line)
}

// Counts returns the counts of the rows read so far, by source, and an empty slice before the first row.
func (d *Dump) Counts() []source.Counts {
	switch {
	case d.joiner != nil:
		counts := d.joiner.Counts()
		for i := len(counts); i < len(d.readers); i++ {
			counts = append(counts, d.readers[i].Counts())
		}
		return counts
	case d.readApart != nil:
		return d.readApart
	}
	return []source.Counts{}
}

// Close closes the files. A second call does nothing.
func (d *Dump) Close() {
	for _, stream := range d.streams {
		_ = stream.Close() // only read
	}
	d.streams = nil
}

// settle waits until a write to any of the files would change its times. Only a file that was written some milliseconds ago needs
// a wait.
func (d *Dump) settle(ctx context.Context) error {
	var longest time.Duration
	for _, file := range d.files {
		if file != nil {
			longest = max(longest, file.unsettled(time.Now()))
		}
	}
	if longest == 0 {
		return nil
	}
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-time.After(longest):
		return nil
	}
}

// unchanged returns err, the result of reading. If that is nil or an error about the content of the files, and a file has changed
// since the dump was opened, it returns the change instead.
func (d *Dump) unchanged(err error) error {
	relocate(err, d.spec.Sources, d.files)
	if err != nil && (!errors.As(err, new(*source.FileError)) && !errors.As(err, new(*OversizeError)) || errors.Is(err, context.Canceled)) {
		return err
	}
	var errs []error
	for i, file := range d.files {
		if file != nil {
			errs = append(errs, file.check(d.spec.Sources[i].File))
		}
	}
	if path := d.options.Shape; path != "" {
		now, err := regular.Look(path)
		if err != nil {
			err = changedError(reason(err))
		} else {
			err = changedError(d.shapeState.Differs(now))
		}
		if err != nil {
			errs = append(errs, &source.FileError{File: path, Message: err.Error(), Err: err})
		}
	}
	if changed := errors.Join(errs...); changed != nil {
		return changed
	}
	return err
}

func (d *Dump) find(s *shape.Source) (*file, error) {
	file, err := findFile(d.options.Directory, s.File)
	if err != nil {
		return nil, notFound(d.options.Directory, d.spec, s, err)
	}
	file.declared = d.spec.DialectOf(s).Encoding
	return file, nil
}

func (d *Dump) accepts(kind source.Kind) bool {
	return d.options.Accepts != nil && d.options.Accepts(kind)
}

// openSource opens the file of a source, in its arrangement, and reads the header.
func (d *Dump) openSource(ctx context.Context, i int) error {
	s, file, arranged := &d.spec.Sources[i], d.files[i], &d.arranged[i]
	if d.skips != nil && d.skips[i] {
		return d.skipSource(i)
	}
	options := source.Options{
		MissingColumns: d.accepts(source.MissingColumn),
		NoHeader:       d.accepts(source.Empty) && i > 0,
		Whole:          func(offset, size int64) (io.ReadCloser, error) { return file.section(ctx, offset, size) },
	}
	var text io.Reader = arranged.sorted
	if arranged.sorted != nil {
		options.Origins = arranged.sorted
	} else {
		if file.parts != nil {
			if err := file.readHeaders(ctx, s, d.spec.DialectOf(s)); err != nil {
				return err
			}
		}
		opened, err := file.open(ctx)
		if err != nil {
			return &source.FileError{File: file.path, Message: reason(err), Err: err}
		}
		d.streams = append(d.streams, opened)
		text = opened
	}
	options.Encoding = file.encoding
	named := *s // the shape stays as it is
	named.File = file.name()
	rejects := &sink{dump: d, source: i, shared: d.shared(s.File), file: file}
	reader, err := source.NewReader(text, &named, d.spec.DialectOf(s), rejects, options)
	if err != nil {
		var mistake *source.FileError
		if errors.As(err, &mistake) && mistake.Kind == source.Empty && i == 0 {
			mistake.Kind = "" // without items there is nothing to publish
		}
		if errors.As(err, &mistake) && mistake.Kind != "" && !d.accepts(mistake.Kind) {
			mistake.Message += fmt.Sprintf(". If this is intended, pass --accept %s", mistake.Kind)
		}
		return err
	}
	d.readers[i] = reader
	// A missing column is read as null, so the documents must be able to show null.
	for _, name := range reader.Missing() {
		d.spec.MissingColumn(i, slices.IndexFunc(d.spec.Sources[i].Columns, func(c shape.Column) bool { return c.Name == name }))
	}
	return nil
}

// shared reports whether several sources read a file.
func (d *Dump) shared(name string) bool {
	sources := 0
	for i := range d.spec.Sources {
		if d.spec.Sources[i].File == name {
			sources++
		}
	}
	return sources > 1
}

// skipSource opens a source without rows.
func (d *Dump) skipSource(i int) error {
	options := source.Options{NoHeader: true}
	s := &d.spec.Sources[i]
	reader, err := source.NewReader(strings.NewReader(""), s, d.spec.DialectOf(s), source.Discard{}, options)
	d.readers[i] = reader
	return err
}

// sink passes rejects to the sink of the pass. The kept rows of a compressed file are plain text, and lines and offsets are those of
// the text, so the rejects have its uncompressed name. Offsets are those of the text in UTF-8, but the kept rows have the encoding of the
// file: they can be appended to it.
type sink struct {
	dump   *Dump
	source int
	shared bool // several sources read the file
	file   *file
}

// mostEvidence is the number of rejected rows in the message about a file without any row that can be used.
const mostEvidence = 3

func (s *sink) Reject(reject source.Reject) error {
	encoding := s.file.encoding
	reject.File, reject.Shared = s.dump.spec.Sources[s.source].File, s.shared
	if parts := s.file.parts; parts != nil {
		part, at := parts.at(reject.Line)
		reject.File, encoding = plainName(part.name()), part.encoding
		reject.Line, reject.Offset = reject.Line-at.line+at.skippedLines, reject.Offset-at.offset+at.skipped
	}
	if s.source == 0 && len(s.dump.evidence) < mostEvidence {
		s.dump.evidence = append(s.dump.evidence, reject.String())
	}
	if encoding != "" {
		reject.Encode = func(w io.Writer) io.Writer { return charset.NewEncoder(w, encoding) }
	}
	return s.dump.rejects.Reject(reject)
}
