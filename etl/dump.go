package main

import (
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

	"systemscale/etl/internal/source"
)

// compressed are the endings under which a file is looked for when it is not there by its own name.
var compressed = []string{".gz", ".zst"}

// maxWindow is how much of what was decompressed a zstd file may refer back to, and so about what reading one costs in
// memory: as much as zstd -19 uses. Six files with the 128 MiB of zstd --ultra -22 would not fit beside anything.
const maxWindow = 8 << 20

// dumpFile is one file of a dump as it is on disk, perhaps compressed.
type dumpFile struct {
	path string
	size int64 // in bytes, on disk
	read atomic.Int64
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
	info, err := os.Stat(found[0])
	if err == nil && info.IsDir() {
		err = errors.New("it is a directory")
	}
	if err != nil {
		return nil, err
	}
	return &dumpFile{path: found[0], size: info.Size()}, nil
}

// name returns the file's name without its directory.
func (f *dumpFile) name() string { return filepath.Base(f.path) }

// position returns how many bytes of the file on disk have been read of the stream that was opened last.
func (f *dumpFile) position() int64 { return f.read.Load() }

// open returns the file's text from the beginning, decompressed. It can be called again, for reading once more.
func (f *dumpFile) open() (io.ReadCloser, error) {
	file, err := os.Open(f.path)
	if err != nil {
		return nil, err
	}
	f.read.Store(0)
	stream := &dumpStream{dump: f, file: file}
	stream.text = (*rawStream)(stream)
	switch filepath.Ext(f.path) {
	case ".gz":
		decoder, gzipErr := gzip.NewReader(stream.text)
		stream.text, err = decoder, gzipErr
	case ".zst":
		decoder, zstdErr := zstd.NewReader(stream.text, zstd.WithDecoderConcurrency(1), zstd.WithDecoderLowmem(true), zstd.WithDecoderMaxWindow(maxWindow))
		stream.text, err = decoder, zstdErr
	}
	if err != nil {
		_ = file.Close() // nothing was written
		return nil, explainArchive(err)
	}
	return stream, nil
}

// again opens the text as open does, without any effect on position.
func (f *dumpFile) again() (io.ReadCloser, error) {
	other := &dumpFile{path: f.path, size: f.size}
	return other.open()
}

// bytes opens some bytes of the text.
func (f *dumpFile) bytes(offset, size int64) (io.ReadCloser, error) {
	stream, err := f.again()
	if err != nil {
		return nil, err
	}
	if plain, ok := stream.(*dumpStream).text.(*rawStream); ok {
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
	text io.Reader // of file, decompressed
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
type rawStream dumpStream

func (s *rawStream) Read(p []byte) (int, error) {
	n, err := s.file.Read(p)
	s.dump.read.Add(int64(n))
	return n, err
}

// explainArchive says what is wrong with an archive in words that help; an error of the file system helps as it is.
func explainArchive(err error) error {
	var system *fs.PathError
	switch {
	case errors.As(err, &system):
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
