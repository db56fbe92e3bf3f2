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

	"github.com/klauspost/compress/zstd"

	"systemscale/etl/internal/charset"
	"systemscale/etl/internal/source"
)

// archives are the extensions of compressed files.
var archives = []string{".gz", ".zst"}

// plainName returns a file's name without the extension of an archive.
func plainName(name string) string {
	for _, extension := range archives {
		name = strings.TrimSuffix(name, extension)
	}
	return name
}

// maxWindow is the largest window of a zstd file, and so about the memory for reading one: that of zstd -19. Six files with
// the 128 MiB of zstd --ultra -22 would leave no memory for anything else.
const maxWindow = 8 << 20

// stream is the text of a file, decompressed and in UTF-8. It is used by one goroutine.
type stream struct {
	file    *os.File
	raw     io.Reader     // of file
	archive *zstd.Decoder // of raw, or nil
	text    io.Reader     // of raw, decompressed
	plain   bool          // the text consists of the file's bytes
	begun   bool          // some of the text has been read
}

// newStream returns the text of a file, which it takes over: it closes it if there is an error. size is that of the file on disk. read
// counts the bytes that are read from the disk. The context ends every Read, even one that blocks in the file system.
func newStream(ctx context.Context, file *os.File, size int64, read *atomic.Int64) (*stream, error) {
	s := &stream{file: file, raw: &countedReader{interruptible: interruptible{ctx: ctx, reader: file}, read: read}}
	s.text, s.plain = s.raw, true
	var err error
	switch filepath.Ext(file.Name()) {
	case ".gz":
		decoder, gzipErr := newMembers(s.raw)
		s.text, s.plain, err = decoder, false, gzipErr
	case ".zst":
		decoder, zstdErr := zstd.NewReader(s.raw,
			zstd.WithDecoderConcurrency(1), zstd.WithDecoderLowmem(true), zstd.WithDecoderMaxWindow(maxWindow))
		s.archive, s.text, s.plain, err = decoder, decoder, false, zstdErr
		if size == 0 {
			err = io.ErrUnexpectedEOF // the decoder accepts a file without any frame
		}
	}
	if err != nil {
		_ = file.Close() // nothing was written
		return nil, explainArchive(err)
	}
	return s, nil
}

// decode makes s return UTF-8. declared is the encoding of the text unless it has a byte order mark. decode returns the encoding; "" is
// UTF-8. It reads the beginning of the text.
func (s *stream) decode(declared string) (encoding string) {
	begin := beginning{rest: s.text}
	buffer := make([]byte, source.ArchiveSize)
	for len(begin.head) < len(buffer) && begin.err == nil {
		var n int
		n, begin.err = s.text.Read(buffer[len(begin.head):])
		begin.head = buffer[:len(begin.head)+n]
	}
	encoding = charset.Detect(begin.head)
	switch {
	case encoding == charset.UTF8, source.Archive(begin.head) != "":
		encoding = "" // the header of an archive is refused
	case encoding == "":
		encoding = declared
	}
	s.text = &begin
	if encoding != "" {
		s.text, s.plain = charset.NewDecoder(&begin, encoding), false
	}
	return encoding
}

// beginning is a reader of which the beginning has been read.
type beginning struct {
	head []byte
	err  error // after the head
	rest io.Reader
}

func (b *beginning) Read(p []byte) (int, error) {
	if len(b.head) > 0 {
		n := copy(p, b.head)
		b.head = b.head[n:]
		return n, nil
	}
	if b.err != nil {
		return 0, b.err
	}
	return b.rest.Read(p)
}

// skip passes over the first bytes of the text.
func (s *stream) skip(offset int64) error {
	if s.plain {
		s.text = s.raw
		_, err := s.file.Seek(offset, io.SeekStart)
		return err
	}
	_, err := io.CopyN(io.Discard, s, offset)
	return err
}

func (s *stream) Read(p []byte) (int, error) {
	n, err := s.text.Read(p)
	s.begun = s.begun || n > 0
	switch {
	case err == nil || err == io.EOF:
		return n, err
	case s.begun && errors.Is(err, zstd.ErrMagicMismatch):
		err = errTrailing
	}
	return n, explainArchive(err)
}

func (s *stream) Close() error {
	if s.archive != nil {
		s.archive.Close()
	}
	return s.file.Close()
}

// countedReader counts the bytes that are read.
type countedReader struct {
	interruptible
	read *atomic.Int64
}

func (r *countedReader) Read(p []byte) (int, error) {
	n, err := r.interruptible.Read(p)
	r.read.Add(int64(n))
	return n, err
}

// interruptible reads until the context ends from a reader that cannot be interrupted, such as a file on a server that no longer
// responds. A blocked Read then continues in its goroutine, and may write to its buffer later.
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

// explainArchive returns an error that describes the damage of an archive; an error of the file system stays as it is.
func explainArchive(err error) error {
	var system *fs.PathError
	switch {
	case errors.As(err, &system), errors.Is(err, errTrailing), errors.Is(err, context.Canceled), errors.Is(err, context.DeadlineExceeded):
		return err
	case errors.Is(err, io.EOF), errors.Is(err, io.ErrUnexpectedEOF):
		return errors.New("the archive ends early, so it was cut off while it was written or copied")
	case errors.Is(err, zstd.ErrWindowSizeExceeded), errors.Is(err, zstd.ErrDecoderSizeExceeded):
		return fmt.Errorf("the archive needs more than %d MiB of memory to be read: compress it with zstd -19 or less, and without --long",
			maxWindow>>20)
	}
	return fmt.Errorf("the archive is damaged: %w", err)
}
