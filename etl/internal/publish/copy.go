package publish

import (
	"encoding/binary"

	"systemscale/sql"
)

// The binary format of COPY: https://www.postgresql.org/docs/current/sql-copy.html, "Binary Format".
const (
	copyHeader  = "PGCOPY\n\xff\r\n\x00" + "\x00\x00\x00\x00" + "\x00\x00\x00\x00" // signature, flags, length of an extension
	copyTrailer = "\xff\xff"
)

// jsonbVersion precedes the text of a jsonb value in binary (jsonb_recv in Postgres's jsonb.c).
const jsonbVersion = 1

// AppendHeader appends the header of a binary COPY.
func AppendHeader(dst []byte) []byte { return append(dst, copyHeader...) }

// AppendTrailer appends the trailer of a binary COPY.
func AppendTrailer(dst []byte) []byte { return append(dst, copyTrailer...) }

// AppendRow appends a row of a document table: id, etag and body, which is JSON.
func AppendRow(dst []byte, id sql.ID, etag uint64, body []byte) []byte {
	dst = binary.BigEndian.AppendUint16(dst, 3)
	dst = appendID(dst, id)
	dst = binary.BigEndian.AppendUint32(dst, 8)
	dst = binary.BigEndian.AppendUint64(dst, etag)
	dst = binary.BigEndian.AppendUint32(dst, uint32(len(body)+1))
	dst = append(dst, jsonbVersion)
	return append(dst, body...)
}

// appendID appends the field of an id, a bigint or a text.
func appendID(dst []byte, id sql.ID) []byte {
	if id.IsText() {
		dst = binary.BigEndian.AppendUint32(dst, uint32(len(id.Text())))
		return append(dst, id.Text()...)
	}
	dst = binary.BigEndian.AppendUint32(dst, 8)
	return binary.BigEndian.AppendUint64(dst, uint64(id.Int()))
}
