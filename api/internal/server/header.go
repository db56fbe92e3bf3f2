package server

import (
	"bytes"
	"encoding/binary"
	"encoding/hex"
	"strconv"
	"time"

	"github.com/valyala/fasthttp"

	"systemscale/api/internal/store"
)

// Names and values as they go onto the wire.
var (
	slash = []byte("/")

	keyAllow              = []byte("Allow")
	keyAllowOrigin        = []byte("Access-Control-Allow-Origin")
	keyCacheControl       = []byte("Cache-Control")
	keyContentTypeOptions = []byte("X-Content-Type-Options")
	keyDataVersion        = []byte("X-Data-Version")
	keyETag               = []byte("ETag")
	keyIfNoneMatch        = []byte("If-None-Match")
	keyRetryAfter         = []byte("Retry-After")

	anyOrigin    = []byte("*")
	methods      = []byte("GET, HEAD")
	noSniff      = []byte("nosniff")
	noStore      = []byte("no-store")
	oneSecond    = []byte("1")
	shortCaching = []byte("public, max-age=5, stale-while-revalidate=30")
	typeJSON     = []byte("application/json; charset=utf-8")
	typeProblem  = []byte("application/problem+json")
)

// describe sets what a 200 and a 304 have in common.
func describe(response *fasthttp.Response, etag []byte, run int64) {
	var number [20]byte
	header := &response.Header
	header.SetCanonical(keyETag, etag)
	header.SetCanonical(keyDataVersion, strconv.AppendInt(number[:0], run, 10))
	header.SetCanonical(keyCacheControl, shortCaching)
	header.SetCanonical(keyAllowOrigin, anyOrigin)
	header.SetCanonical(keyContentTypeOptions, noSniff)
}

func answerOptions(response *fasthttp.Response) {
	response.SetStatusCode(fasthttp.StatusNoContent)
	response.Header.SetCanonical(keyAllow, methods)
	response.Header.SetCanonical(keyAllowOrigin, anyOrigin)
}

// appendDocumentETag appends the entity tag of a document: its stored etag in 16 hexadecimal digits.
func appendDocumentETag(dst []byte, etag uint64) []byte {
	var raw [8]byte
	binary.BigEndian.PutUint64(raw[:], etag)
	dst = append(dst, '"')
	dst = hex.AppendEncode(dst, raw[:])
	return append(dst, '"')
}

// appendVersionETag appends the entity tag of every page of a run. Whatever changes the tables is a run of its own, so the run
// identifies what any page of it says; the moment of publishing keeps it apart from the run of the same number in a
// database that was built anew.
func appendVersionETag(dst []byte, run int64, published time.Time) []byte {
	dst = append(dst, '"', 'v')
	dst = strconv.AppendInt(dst, run, 10)
	dst = append(dst, '-')
	dst = strconv.AppendInt(dst, published.UnixMicro(), 16)
	return append(dst, '"')
}

// heldDocuments returns what an If-None-Match header says about documents. Tags that are not ours match none of them.
func heldDocuments(header []byte) store.Match {
	var match store.Match
	visitETags(header, func(tag []byte) {
		var raw [8]byte
		switch {
		case tag[0] == '*':
			match.Any = true
		case len(tag) == 18:
			if _, err := hex.Decode(raw[:], tag[1:17]); err == nil {
				match.ETags = append(match.ETags, binary.BigEndian.Uint64(raw[:]))
			}
		}
	})
	return match
}

// holdsVersion reports whether an If-None-Match header names the pages of a run.
func holdsVersion(header []byte, run int64, published time.Time) bool {
	var buffer [48]byte
	want := appendVersionETag(buffer[:0], run, published)
	holds := false
	visitETags(header, func(tag []byte) {
		holds = holds || tag[0] == '*' || bytes.Equal(tag, want)
	})
	return holds
}

// visitETags calls visit for each entity tag of an If-None-Match header: with the quoted tag, without the mark of a weak one,
// as this header compares weakly (RFC 9110, 13.1.2), or with an asterisk. It stops at the first thing that is neither.
func visitETags(header []byte, visit func(tag []byte)) {
	for {
		header = bytes.TrimLeft(header, " \t,")
		if len(header) == 0 {
			return
		}
		if header[0] == '*' {
			visit(header[:1])
			return
		}
		header = bytes.TrimPrefix(header, []byte("W/"))
		if len(header) == 0 || header[0] != '"' {
			return
		}
		end := bytes.IndexByte(header[1:], '"')
		if end < 0 {
			return
		}
		visit(header[:end+2])
		header = header[end+2:]
	}
}
