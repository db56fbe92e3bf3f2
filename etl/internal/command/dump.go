package command

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"

	"github.com/klauspost/compress/gzip"
	"github.com/klauspost/compress/zstd"

	"systemscale/etl/internal/regular"
	"systemscale/etl/internal/source"
)

// compressed are the endings under which a file is looked for when it is not there by its own name.
var compressed = []string{".gz", ".zst"}

// maxWindow is how much of what was decompressed a zstd file may refer back to, and so about what reading one costs in
// memory: as much as zstd -19 uses. Six files with the 128 MiB of zstd --ultra -22 would not fit beside anything.
const maxWindow = 8 << 20

// dumpFile is one file of a dump as it is on disk, perhaps compressed.
type dumpFile struct {
	path  string
	size  int64         // in bytes, on disk
	state regular.State // when it was found, before anything was read of it
	read  atomic.Int64
}

// findFile returns the file of a name in a directory: by that name, or compressed. Two of them are an error, because
// one of the two is old, and nobody can tell which.
func findFile(directory, name string) (*dumpFile, error) {
	plain := filepath.Join(directory, name)
	var found []string
	var missing error
	for _, ending := range append([]string{""}, compressed...) {
		_, err := os.Stat(plain + ending)
		switch {
		case err == nil:
			found = append(found, plain+ending)
		case ending == "" || !errors.Is(err, fs.ErrNotExist):
			missing = errors.Join(missing, err)
		}
	}
	switch {
	case len(found) == 0:
		return nil, missing
	case len(found) > 1:
		return nil, fmt.Errorf("%s are there at once, and only one of them can be meant: remove all but that one", strings.Join(found, " and "))
	}
	state, err := regular.Look(found[0])
	if errors.Is(err, regular.ErrNotRegular) {
		err = fmt.Errorf("%w, and it may have to be read twice", err)
	}
	if err != nil {
		return nil, err
	}
	return &dumpFile{path: found[0], size: state.Size(), state: state}, nil
}

// name returns the file's name without its directory.
func (f *dumpFile) name() string { return filepath.Base(f.path) }

// position returns how many bytes of the file on disk have been read of the stream that was opened last.
func (f *dumpFile) position() int64 { return f.read.Load() }

// archiveBuffer is how much of an archive is read at a time.
const archiveBuffer = 256 << 10

// open returns the file's text from the beginning, decompressed. It can be called again, for reading once more. The context ends
// every Read, even one that the file system keeps waiting.
func (f *dumpFile) open(ctx context.Context) (io.ReadCloser, error) {
	file, err := regular.Open(f.path)
	if err != nil {
		return nil, err
	}
	state, err := regular.StateOf(file)
	if err == nil {
		err = changed(f.state.Differs(state))
	}
	if err != nil {
		_ = file.Close() // nothing was written
		return nil, err
	}
	f.read.Store(0)
	stream := &dumpStream{dump: f, file: file}
	stream.raw = &rawStream{dump: f, interruptible: interruptible{ctx: ctx, reader: file}}
	stream.text = stream.raw
	switch filepath.Ext(f.path) {
	case ".gz":
		decoder, gzipErr := gzip.NewReader(bufio.NewReaderSize(stream.raw, archiveBuffer))
		stream.text, err = decoder, gzipErr
	case ".zst":
		decoder, zstdErr := zstd.NewReader(stream.raw, zstd.WithDecoderConcurrency(1), zstd.WithDecoderLowmem(true), zstd.WithDecoderMaxWindow(maxWindow))
		stream.text, err = decoder, zstdErr
		if f.size == 0 {
			err = io.ErrUnexpectedEOF // no frame at all is no error to the decoder
		}
	}
	if err != nil {
		_ = file.Close() // nothing was written
		return nil, explainArchive(err)
	}
	return stream, nil
}

// changed returns the error for a file that is not what it was, or nil when how is empty.
func changed(how string) error {
	if how == "" {
		return nil
	}
	return fmt.Errorf("the file changed while it was read: %s. Run again when the dump is complete", how)
}

// check returns an error if the file, under the name that the shape has for it, is no longer what it was when it was found.
func (f *dumpFile) check(name string) error {
	now, err := findFile(filepath.Dir(f.path), name)
	switch {
	case err != nil:
		err = changed(reason(err))
	case now.path != f.path:
		err = changed("it is " + now.name() + " now")
	default:
		err = changed(f.state.Differs(now.state))
	}
	if err != nil {
		return &source.FileError{File: f.path, Message: err.Error(), Err: err}
	}
	return nil
}

// again opens the text as open does, without any effect on position. The error is a *source.FileError.
func (f *dumpFile) again(ctx context.Context) (io.ReadCloser, error) {
	other := &dumpFile{path: f.path, size: f.size, state: f.state}
	text, err := other.open(ctx)
	if err != nil {
		return nil, &source.FileError{File: f.path, Message: reason(err), Err: err}
	}
	return text, nil
}

// bytes opens some bytes of the text.
func (f *dumpFile) bytes(ctx context.Context, offset, size int64) (io.ReadCloser, error) {
	stream, err := f.again(ctx)
	if err != nil {
		return nil, err
	}
	if plain, ok := stream.(*dumpStream); ok && plain.text == plain.raw {
		_, err = plain.file.Seek(offset, io.SeekStart)
	} else {
		_, err = io.CopyN(io.Discard, stream, offset)
	}
	if err != nil {
		_ = stream.Close() // only read
		return nil, err
	}
	return struct {
		io.Reader
		io.Closer
	}{io.LimitReader(stream, size), stream}, nil
}

// dumpStream is a dumpFile that is being read.
type dumpStream struct {
	dump *dumpFile
	file *os.File
	raw  io.Reader // of file
	text io.Reader // of raw, decompressed
}

func (s *dumpStream) Read(p []byte) (int, error) {
	n, err := s.text.Read(p)
	if err != nil && err != io.EOF {
		err = explainArchive(err)
	}
	return n, err
}

func (s *dumpStream) Close() error {
	if decoder, ok := s.text.(*zstd.Decoder); ok {
		decoder.Close()
	}
	return s.file.Close()
}

// rawStream is what a dumpStream reads from the disk, counted.
type rawStream struct {
	interruptible
	dump *dumpFile
}

func (s *rawStream) Read(p []byte) (int, error) {
	n, err := s.interruptible.Read(p)
	s.dump.read.Add(int64(n))
	return n, err
}

// interruptible reads from a reader that cannot be interrupted, such as a file on a server that has stopped to answer, until the
// context ends. A Read that is still waiting then is left to itself, and may yet write to its buffer.
type interruptible struct {
	ctx    context.Context
	reader io.Reader
	done   chan readResult
}

type readResult struct {
	n   int
	err error
}

func (i *interruptible) Read(p []byte) (int, error) {
	if err := i.ctx.Err(); err != nil {
		return 0, err
	}
	if i.done == nil {
		i.done = make(chan readResult, 1)
	}
	go func() {
		n, err := i.reader.Read(p)
		i.done <- readResult{n, err}
	}()
	select {
	case r := <-i.done:
		return r.n, r.err
	case <-i.ctx.Done():
		return 0, i.ctx.Err()
	}
}

// explainArchive says what is wrong with an archive in words that help; an error of the file system helps as it is.
func explainArchive(err error) error {
	var system *fs.PathError
	switch {
	case errors.As(err, &system), errors.Is(err, context.Canceled), errors.Is(err, context.DeadlineExceeded):
		return err
	case errors.Is(err, io.EOF), errors.Is(err, io.ErrUnexpectedEOF):
		return errors.New("the archive ends early, so it was cut off while it was written or copied")
	case errors.Is(err, zstd.ErrWindowSizeExceeded), errors.Is(err, zstd.ErrDecoderSizeExceeded):
		return fmt.Errorf("the archive needs more than %d MiB of memory to be read: compress it with zstd -19 or less, and without --long", maxWindow>>20)
	}
	return fmt.Errorf("the archive is damaged: %w", err)
}

// plainNames hands on the rejects of a compressed file under the name that the file has when it is not compressed:
// what is kept of them is plain text, and lines and offsets are those of the text.
type plainNames struct {
	source.Sink
	name string
}

func (s plainNames) Reject(reject source.Reject) error {
	reject.File = s.name
	return s.Sink.Reject(reject)
}
