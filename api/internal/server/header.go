package server

import (
	"bytes"
	"encoding/binary"
	"encoding/hex"
	"fmt"
	"strconv"
	"time"

	"github.com/valyala/fasthttp"

	"systemscale/api/internal/store"
)

// Header names and values, as sent.
var (
	slash = []byte("/")
	dot   = []byte(".")

	keyAccelExpires          = []byte("X-Accel-Expires")
	keyAccept                = []byte("Accept")
	keyAllow                 = []byte("Allow")
	keyAllowHeaders          = []byte("Access-Control-Allow-Headers")
	keyAllowMethods          = []byte("Access-Control-Allow-Methods")
	keyAllowOrigin           = []byte("Access-Control-Allow-Origin")
	keyCacheControl          = []byte("Cache-Control")
	keyContentTypeOptions    = []byte("X-Content-Type-Options")
	keyContentSecurityPolicy = []byte("Content-Security-Policy")
	keyDataVersion           = []byte("X-Data-Version")
	keyETag                  = []byte("ETag")
	keyExposeHeaders         = []byte("Access-Control-Expose-Headers")
	keyMaxAge                = []byte("Access-Control-Max-Age")
	keyRequestID             = []byte("X-Request-Id")
	keyRetryAfter            = []byte("Retry-After")
	keyServerTiming          = []byte("Server-Timing")
	keyTotalCount            = []byte("X-Total-Count")
	keyVary                  = []byte("Vary")

	anyOrigin  = []byte("*")
	methods    = []byte("GET, HEAD, OPTIONS")
	noSniff    = []byte("nosniff")
	noStore    = []byte("no-store")
	oneSecond  = []byte("1")
	tenMinutes = []byte("600")
	typeJSON   = []byte("application/json; charset=utf-8")

	// exposed are the headers that scripts of other origins may read.
	exposed = []byte("ETag, X-Data-Version, X-Total-Count, X-Cache, Server-Timing, X-Request-ID, Retry-After")
	// accepted are the headers that they may send: any, because no header makes a response private. The asterisk does not include
	// Authorization.
	accepted = []byte("*, Authorization")
)

// Content types of errors.
const (
	typeProblem = "application/problem+json"
	typePage    = "text/html; charset=utf-8"
)

// caching holds the values of headers that control caches.
type caching struct {
	document []byte // Cache-Control of documents
	page     []byte // Cache-Control of pages, which change with any of their documents
	absent   []byte // X-Accel-Expires of a 404: how long the gateway caches it
}

// newCaching returns the values for an age up to which shared caches use a document. Browsers, whose copies cannot be refreshed, get half
// of it. A stale copy may be used for three times as long while a new one is fetched.
func newCaching(age time.Duration) caching {
	seconds := int64(age / time.Second)
	return caching{
		document: fmt.Appendf(nil, "public, max-age=%d, s-maxage=%d, stale-while-revalidate=%d", (seconds+1)/2, seconds, 3*seconds),
		page:     []byte("public, max-age=1, s-maxage=1, stale-while-revalidate=5"),
		absent:   strconv.AppendInt(nil, seconds, 10),
	}
}

// describe sets the headers that a 200 and a 304 have in common.
func describe(response *fasthttp.Response, etag []byte, run int64, caching []byte) {
	header := &response.Header
	header.SetCanonical(keyETag, etag)
	setDataVersion(header, run)
	header.SetCanonical(keyCacheControl, caching)
	setCORS(header)
}

// setCORS sets the headers that let scripts of any origin read the response.
func setCORS(header *fasthttp.ResponseHeader) {
	header.SetCanonical(keyAllowOrigin, anyOrigin)
	header.SetCanonical(keyExposeHeaders, exposed)
	header.SetCanonical(keyContentTypeOptions, noSniff)
}

func setDataVersion(header *fasthttp.ResponseHeader, run int64) {
	var number [20]byte
	header.SetCanonical(keyDataVersion, strconv.AppendInt(number[:0], run, 10))
}

// setTotal sets the number of documents in the list of a page.
func setTotal(header *fasthttp.ResponseHeader, total int64) {
	var number [20]byte
	header.SetCanonical(keyTotalCount, strconv.AppendInt(number[:0], total, 10))
}

// setServerTiming sets the duration of the lookup, in milliseconds.
func setServerTiming(header *fasthttp.ResponseHeader, took time.Duration) {
	var buffer [40]byte
	hundredths := int64((took + 5*time.Microsecond) / (10 * time.Microsecond))
	value := append(buffer[:0], "db;dur="...)
	value = strconv.AppendInt(value, hundredths/100, 10)
	value = append(value, '.', byte('0'+hundredths/10%10), byte('0'+hundredths%10))
	header.SetCanonical(keyServerTiming, value)
}

// maxRequestID is the maximum length of a request id.
const maxRequestID = 128

// requestID returns the request's X-Request-ID, or nil if it has none or an invalid one. The result is valid as long as the request.
func requestID(request *fasthttp.Request) []byte {
	id := request.Header.PeekBytes(keyRequestID)
	if len(id) == 0 || len(id) > maxRequestID {
		return nil
	}
	for _, c := range id {
		if (c < 'a' || c > 'z') && (c < 'A' || c > 'Z') && (c < '0' || c > '9') && c != '.' && c != '_' && c != '-' {
			return nil
		}
	}
	return id
}

// wantsPage reports whether an Accept header is that of a browser that opens an address: it names HTML, with a weight other than 0, and no
// JSON type. The gateway has the same rule.
func wantsPage(accept []byte) bool {
	if len(accept) < len("text/html") {
		return false
	}
	lower := bytes.ToLower(accept)
	if bytes.Contains(lower, []byte("json")) {
		return false
	}
	for kind := range bytes.SplitSeq(lower, []byte(",")) {
		name, parameters, _ := bytes.Cut(kind, []byte(";"))
		if string(bytes.TrimSpace(name)) == "text/html" && !isRefused(parameters) {
			return true
		}
	}
	return false
}

// isRefused reports whether the parameters of a media range begin with a weight of 0.
func isRefused(parameters []byte) bool {
	weight, weighed := bytes.CutPrefix(bytes.TrimSpace(parameters), []byte("q=0"))
	return weighed && len(bytes.Trim(weight, ".0 \t")) == 0
}

// answerOptions answers OPTIONS. The response is the same for every address, published or not.
func answerOptions(response *fasthttp.Response) {
	response.SetStatusCode(fasthttp.StatusNoContent)
	header := &response.Header
	header.SetCanonical(keyAllow, methods)
	header.SetCanonical(keyAllowMethods, methods)
	header.SetCanonical(keyAllowHeaders, accepted)
	// Browsers cache the preflight for this long. A longer time would also keep a mistake longer.
	header.SetCanonical(keyMaxAge, tenMinutes)
	setCORS(header)
}

// appendDocumentETag appends the entity tag of a document: its stored etag as 16 hexadecimal digits.
func appendDocumentETag(dst []byte, etag uint64) []byte {
	var raw [8]byte
	binary.BigEndian.PutUint64(raw[:], etag)
	dst = append(dst, '"')
	dst = hex.AppendEncode(dst, raw[:])
	return append(dst, '"')
}

// appendVersionETag appends the entity tag of all pages of a run. Every change to the tables is a run, so the run identifies the content of
// its pages. The time of publication distinguishes it from the same run id in a recreated database.
func appendVersionETag(dst []byte, run int64, published time.Time) []byte {
	dst = append(dst, '"', 'v')
	dst = strconv.AppendInt(dst, run, 10)
	dst = append(dst, '-')
	dst = strconv.AppendInt(dst, published.UnixMicro(), 16)
	return append(dst, '"')
}

// heldDocuments returns the document etags of a request's If-None-Match. It ignores tags of any other form.
func heldDocuments(request *fasthttp.Request) store.Match {
	var match store.Match
	visitHeldETags(request, func(tag []byte) {
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

// holdsVersion reports whether a request's If-None-Match matches the pages of a run.
func holdsVersion(request *fasthttp.Request, run int64, published time.Time) bool {
	var buffer [48]byte
	want := appendVersionETag(buffer[:0], run, published)
	holds := false
	visitHeldETags(request, func(tag []byte) {
		holds = holds || tag[0] == '*' || bytes.Equal(tag, want)
	})
	return holds
}

// visitHeldETags visits the entity tags of all If-None-Match lines: a list may be split into several lines (RFC 9110, 5.3).
func visitHeldETags(request *fasthttp.Request, visit func(tag []byte)) {
	for _, line := range request.Header.PeekAll("If-None-Match") {
		visitETags(line, visit)
	}
}

// visitETags calls visit with each entity tag of an If-None-Match line: the quoted tag without W/, because the comparison is weak (RFC
// 9110, 13.1.2), or an asterisk. It stops at the first syntax error.
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
