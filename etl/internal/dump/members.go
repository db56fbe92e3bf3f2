package dump

import (
	"bufio"
	"bytes"
	"errors"
	"io"

	"github.com/klauspost/compress/gzip"
)

// errTrailing means that an archive ends, and the file does not.
var errTrailing = errors.New("other bytes follow the end of the archive: remove them, or compress the file again")

// archiveBuffer is the size of one read of an archive, in bytes.
const archiveBuffer = 256 << 10

// gzipMagic is the beginning of every member.
var gzipMagic = []byte{0x1f, 0x8b}

// members is the text of all members of a gzip file. gzip.Reader alone takes bytes after the last one for a member that is cut off.
type members struct {
	from   *bufio.Reader
	member *gzip.Reader
}

func newMembers(r io.Reader) (*members, error) {
	m := &members{from: bufio.NewReaderSize(r, archiveBuffer)}
	var err error
	if m.member, err = gzip.NewReader(m.from); err != nil {
		return nil, err
	}
	m.member.Multistream(false)
	return m, nil
}

func (m *members) Read(p []byte) (int, error) {
	n, err := m.member.Read(p)
	if !errors.Is(err, io.EOF) {
		return n, err
	}
	next, err := m.from.Peek(len(gzipMagic))
	switch {
	case len(next) == 0:
		return n, err
	case !bytes.Equal(next, gzipMagic):
		return n, errTrailing
	}
	if err := m.member.Reset(m.from); err != nil {
		return n, err
	}
	m.member.Multistream(false)
	return n, nil
}
