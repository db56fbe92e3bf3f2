package cache

import (
	"encoding/binary"

	"github.com/zeebo/xxh3"
)

// Stamp identifies the version that a document was read from. Run alone does not: a server that was promoted, or restored from a backup,
// may use the number of a run again.
type Stamp struct {
	Run         int64
	PublishedAt int64 // in microseconds of Unix time
}

// Entry is a cached document.
type Entry struct {
	Stamp
	ETag uint64
	Body []byte
}

// A value is a header and the body. The header has, in big-endian order, the checksum of everything after it, format, the length of the
// body, run, time and etag. The key is part of the checksum, so a value that was copied to another key is refused.
const (
	headerSize = 8 + 4 + 4 + 8 + 8 + 8

	// format changes with the layout, so that builds with different layouts can share a server.
	format = 0x73736431 // ssd1
)

// encode appends the value of an entry to dst, which must be empty.
func encode(dst, key []byte, entry Entry) []byte {
	dst = append(dst, make([]byte, 8)...)
	dst = binary.BigEndian.AppendUint32(dst, format)
	dst = binary.BigEndian.AppendUint32(dst, uint32(len(entry.Body)))
	dst = binary.BigEndian.AppendUint64(dst, uint64(entry.Run))
	dst = binary.BigEndian.AppendUint64(dst, uint64(entry.PublishedAt))
	dst = binary.BigEndian.AppendUint64(dst, entry.ETag)
	dst = append(dst, entry.Body...)
	binary.BigEndian.PutUint64(dst, checksum(key, dst))
	return dst
}

// decode returns the entry of a value, or false if it is not a whole value of this key. Body is a part of value.
func decode(key, value []byte) (Entry, bool) {
	if len(value) < headerSize ||
		binary.BigEndian.Uint32(value[8:]) != format ||
		int(binary.BigEndian.Uint32(value[12:])) != len(value)-headerSize ||
		binary.BigEndian.Uint64(value) != checksum(key, value) {
		return Entry{}, false
	}
	return Entry{
		Stamp: Stamp{
			Run:         int64(binary.BigEndian.Uint64(value[16:])),
			PublishedAt: int64(binary.BigEndian.Uint64(value[24:])),
		},
		ETag: binary.BigEndian.Uint64(value[32:]),
		Body: value[headerSize:],
	}, true
}

func checksum(key, value []byte) uint64 { return xxh3.HashSeed(value[8:], xxh3.Hash(key)) }
