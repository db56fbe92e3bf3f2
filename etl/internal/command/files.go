package command

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"time"

	"systemscale/etl/internal/join"
	"systemscale/etl/internal/regular"
	"systemscale/etl/internal/shape"
	"systemscale/etl/internal/source"
	"systemscale/etl/shapes"
)

func readShape(path string) (*shape.Shape, error) {
	spec, _, err := readShapeFile(path)
	return spec, err
}

// readShapeFile returns the shape and the state of its file, which means nothing for the built-in one.
func readShapeFile(path string) (*shape.Shape, regular.State, error) {
	if path == "" {
		spec, err := shape.Parse(shapes.ProductsName, shapes.Products)
		return spec, regular.State{}, err
	}
	text, state, err := readWhole(path)
	if err != nil {
		return nil, state, &shape.Error{File: path, Line: 1, Column: 1, Message: "the shape file cannot be read: " + reason(err)}
	}
	spec, err := shape.Parse(path, text)
	return spec, state, err
}

// readWhole reads a file that must not change meanwhile.
func readWhole(path string) (text []byte, state regular.State, err error) {
	file, err := regular.Open(path)
	if err != nil {
		return nil, state, err
	}
	defer func() { _ = file.Close() }() // only read
	if state, err = regular.StateOf(file); err != nil {
		return nil, state, err
	}
	if text, err = io.ReadAll(io.LimitReader(file, shape.MaxSize+1)); err != nil { // Parse refuses what is larger
		return nil, state, err
	}
	now, err := regular.StateOf(file)
	if err == nil {
		err = changed(state.Differs(now))
	}
	return text, state, err
}

// reason returns what went wrong with a file, without the path that the message around it names already.
func reason(err error) string {
	var path *fs.PathError
	if errors.As(err, &path) {
		return path.Err.Error()
	}
	return err.Error()
}

// input is a shape with its files, open and with their headers read.
type input struct {
	spec    *shape.Shape
	readers []*source.Reader                        // in the order of the shape's sources
	size    int64                                   // of all files, in bytes, on disk
	files   []*dumpFile                             // in the order of the shape's sources
	state   regular.State                           // of the shape file, when it was read
	joiner  *join.Joiner                            // of the pass; nil before it
	observe func(source int, reader *source.Reader) // is told of every row that is used; may be nil

	readApart []source.Counts // of files that were read without being joined

	reading
	arranged []arranged  // by source
	streams  []io.Closer // what the readers read
}

// reading is how the files of a directory are to be read.
type reading struct {
	directory string
	shape     string // path of the shape file, or empty for the built-in one
	temp      string // directory for temporary files, or empty for the system's
	rejects   rejects
	accepts   func(gate string) bool // whether a gate was accepted by name

	// maxDocument is the size of a document at which reading an item ends; 0 means that there is none.
	maxDocument byteSize
	say         *slog.Logger // is told what costs time and could be mended
}

// rejects takes rejected rows, and forgets them when the files are read anew.
type rejects interface {
	source.Sink
	Reset() error
}

// counts returns the fate of every row, as far as the pass has come.
func (in *input) counts() []source.Counts {
	switch {
	case in.joiner != nil:
		return in.joiner.Counts()
	case in.readApart != nil:
		return in.readApart
	}
	return []source.Counts{}
}

// openInput reads the shape file and opens the files that it names in the directory. The error names all files that cannot be
// used, not the first only. The context ends all that is read of the files.
func openInput(ctx context.Context, how reading) (*input, error) {
	spec, state, err := readShapeFile(how.shape)
	if err != nil {
		return nil, err
	}
	if err := needDirectory(how.directory); err != nil {
		return nil, err
	}
	in := &input{spec: spec, state: state, reading: how, arranged: make([]arranged, len(spec.Sources))}
	// All files are looked at before one is read: a dump is all of them.
	var errs []error
	for i := range spec.Sources {
		file, err := in.find(&spec.Sources[i])
		in.files = append(in.files, file)
		if err == nil {
			in.size += file.size
		}
		errs = append(errs, err)
	}
	if err := in.settle(ctx); err != nil {
		return nil, err
	}
	for i, file := range in.files {
		in.readers = append(in.readers, nil)
		if file != nil {
			errs = append(errs, in.open(ctx, i))
		}
	}
	if err := in.unchanged(errors.Join(errs...)); err != nil {
		in.close()
		return nil, err
	}
	return in, nil
}

// settle waits until a write to any of the files would show in its times. A file that was written to some milliseconds ago is all
// that takes a wait.
func (in *input) settle(ctx context.Context) error {
	var longest time.Duration
	for _, file := range in.files {
		if file != nil {
			longest = max(longest, file.state.Unsettled(time.Now()))
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

// unchanged returns err, with which the reading ended, or in place of nil and of an error about what is in the files, that they
// are not the same files with the same bytes any longer that they were when the first of them was opened.
func (in *input) unchanged(err error) error {
	if err != nil && (!is[*source.FileError](err) && !is[*oversizeError](err) || errors.Is(err, context.Canceled)) {
		return err
	}
	var errs []error
	for i, file := range in.files {
		if file != nil {
			errs = append(errs, file.check(in.spec.Sources[i].File))
		}
	}
	if in.shape != "" {
		now, err := regular.Look(in.shape)
		if err != nil {
			err = changed(reason(err))
		} else {
			err = changed(in.state.Differs(now))
		}
		if err != nil {
			errs = append(errs, &source.FileError{File: in.shape, Message: err.Error(), Err: err})
		}
	}
	if changed := errors.Join(errs...); changed != nil {
		return changed
	}
	return err
}

func needDirectory(directory string) error {
	info, err := os.Stat(directory)
	message := ""
	switch {
	case errors.Is(err, fs.ErrNotExist):
		message = "there is no such directory: the dump has not arrived, or --csv names another place"
	case err != nil:
		message = reason(err)
	case !info.IsDir():
		message = "it is a file: --csv takes the directory that holds the CSV files"
	default:
		return nil
	}
	return &source.FileError{File: directory, Message: message, Err: err}
}

func (in *input) find(s *shape.Source) (*dumpFile, error) {
	file, err := findFile(in.directory, s.File)
	if err != nil {
		return nil, &source.FileError{File: filepath.Join(in.directory, s.File), Message: fmt.Sprintf("%s, and source %s of %s needs it", reason(err), s.Name, in.spec.Name), Err: err}
	}
	return file, nil
}

// open opens the file of a source, in the order that it was arranged in, and reads its header.
func (in *input) open(ctx context.Context, i int) error {
	s, file, arranged := &in.spec.Sources[i], in.files[i], &in.arranged[i]
	var stream io.Reader = arranged.sorted
	options := source.Options{
		MissingColumns: in.accepts(gateMissingColumn),
		NoHeader:       in.accepts(gateEmptyFile) && s.Parent >= 0,
		Duplicates:     arranged.duplicates,
		Whole:          func(offset, size int64) (io.ReadCloser, error) { return file.bytes(ctx, offset, size) },
	}
	if arranged.sorted != nil {
		options.Origins = arranged.sorted
	} else {
		text, err := file.open(ctx)
		if err != nil {
			return &source.FileError{File: file.path, Message: reason(err), Err: err}
		}
		in.streams = append(in.streams, text)
		stream = text
	}
	var sink source.Sink = in.rejects
	if file.name() != s.File {
		sink = plainNames{sink, s.File}
		named := *s // the shape stays as it was written
		named.File = file.name()
		s = &named
	}
	reader, err := source.NewReader(stream, s, &in.spec.Dialect, sink, options)
	if err != nil {
		var mistake *source.FileError
		if errors.As(err, &mistake) && mistake.Kind != "" && !in.accepts(string(mistake.Kind)) {
			mistake.Message += fmt.Sprintf(". If it is to be so, pass --accept %s", mistake.Kind)
		}
		return err
	}
	in.readers[i] = reader
	// What is read as null for want of a column must be rendered as what may be null.
	for _, name := range reader.Missing() {
		columns := in.spec.Sources[i].Columns
		columns[slices.IndexFunc(columns, func(c shape.Column) bool { return c.Name == name })].Nullable = true
	}
	return nil
}

// position returns how much of size has been read.
func (in *input) position() int64 {
	var read int64
	for i, file := range in.files {
		if sorted := in.arranged[i].sorted; sorted != nil {
			read += int64(sorted.Progress() * float64(file.size))
		} else {
			read += file.position()
		}
	}
	return read
}

// close closes what is open. A second call does nothing.
func (in *input) close() {
	for _, stream := range in.streams {
		_ = stream.Close() // only read
	}
	in.streams = nil
}
