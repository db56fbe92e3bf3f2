package publish

import (
	"bufio"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"os"

	"systemscale/sql"
)

// Spool keeps the documents that differ from the published ones until they are written. Its files are unlinked, so they disappear with the
// process. It must be used by one goroutine.
type Spool struct {
	directory string
	limit     int64
	rows      int64
	staged    []*spoolFile // added and changed, by endpoint, in the format of a binary COPY; nil while empty
	removed   []*spoolFile // ids
	buffer    []byte
}

type spoolFile struct {
	file   *os.File
	writer *bufio.Writer
}

// NewSpool returns a Spool for a number of endpoints, which takes at most limit documents in all. Its files are in a directory, by default
// the system's for temporary files, and are as large as the documents. It must be closed.
func NewSpool(directory string, endpoints int, limit int64) *Spool {
	return &Spool{directory: directory, limit: limit, staged: make([]*spoolFile, endpoints), removed: make([]*spoolFile, endpoints)}
}

// Full reports whether more documents were added than the limit. The spool is then empty.
func (s *Spool) Full() bool { return s.rows > s.limit }

// Put adds a document that was added or changed. body is copied.
func (s *Spool) Put(endpoint int, id sql.ID, etag uint64, body []byte) error {
	if full, err := s.count(); full {
		return err
	}
	s.buffer = AppendRow(s.buffer[:0], id, etag, body)
	return s.write(s.staged, endpoint)
}

// Remove adds a document that was removed.
func (s *Spool) Remove(endpoint int, id sql.ID) error {
	if full, err := s.count(); full {
		return err
	}
	s.buffer = binary.BigEndian.AppendUint16(s.buffer[:0], 1)
	s.buffer = appendID(s.buffer, id)
	return s.write(s.removed, endpoint)
}

// count counts a document, and empties the spool if it exceeds the limit.
func (s *Spool) count() (full bool, err error) {
	if s.Full() {
		return true, nil
	}
	s.rows++
	if s.Full() {
		return true, s.Close()
	}
	return false, nil
}

func (s *Spool) write(files []*spoolFile, endpoint int) error {
	if files[endpoint] == nil {
		file, err := s.create()
		if err != nil {
			return err
		}
		files[endpoint] = file
	}
	if _, err := files[endpoint].writer.Write(s.buffer); err != nil {
		return fmt.Errorf("spool changed documents: %w", err)
	}
	return nil
}

func (s *Spool) create() (*spoolFile, error) {
	file, err := os.CreateTemp(s.directory, "etl-spool-*")
	if err != nil {
		return nil, fmt.Errorf("create a file to spool changed documents in: %w. --temp names another directory", err)
	}
	if err := os.Remove(file.Name()); err != nil {
		return nil, errors.Join(fmt.Errorf("spool changed documents: %w", err), file.Close())
	}
	f := &spoolFile{file: file, writer: bufio.NewWriterSize(file, 64<<10)}
	_, err = f.writer.Write(AppendHeader(nil))
	return f, err
}

// reader completes a file and returns a reader of it.
func (f *spoolFile) reader() (io.Reader, error) {
	_, err := f.writer.Write(AppendTrailer(nil))
	if err = errors.Join(err, f.writer.Flush()); err == nil {
		_, err = f.file.Seek(0, io.SeekStart)
	}
	if err != nil {
		return nil, fmt.Errorf("read the spooled documents: %w", err)
	}
	return bufio.NewReaderSize(f.file, 256<<10), nil
}

// Close releases the files. It may be called twice.
func (s *Spool) Close() error {
	var errs []error
	for _, files := range [][]*spoolFile{s.staged, s.removed} {
		for i, f := range files {
			if f != nil {
				errs = append(errs, f.file.Close())
				files[i] = nil
			}
		}
	}
	return errors.Join(errs...)
}
