package server

import (
	"bytes"
	"errors"
	"time"

	"github.com/gofiber/fiber/v2"
	"github.com/valyala/fasthttp"

	"systemscale/api/internal/store"
	"systemscale/sql"
)

const (
	defaultPage  = 1
	defaultCount = 5
	maxCount     = store.MaxPage

	defaultChanges = 100
	maxChanges     = 1000

	maxName = 63 // bytes of an identifier of Postgres

	// lastPage replaces every page beyond it. It is past the end of any list, and its offset fits an int64.
	lastPage = 1 << 53
)

// route answers GET and HEAD. It retains nothing of the request.
func (s *Server) route(c *fiber.Ctx) error {
	ctx := c.Context()
	snapshot := s.store.Snapshot()
	address, prefixed, err := canonical(ctx.URI().PathOriginal())
	if err != nil {
		return err
	}
	path, rooted := bytes.CutPrefix(address, slash)
	name, rest, nested := bytes.Cut(path, slash)
	collection := snapshot.Collection(name)
	if !rooted || collection == nil {
		if file := s.pages.at(address, snapshot); file != nil {
			setRoute(ctx, s.metrics.pages)
			answerFile(ctx, file)
			return nil
		}
		if snapshot == nil { // the published versions are not known yet
			return store.ErrUnavailable
		}
		if snapshot.Empty() {
			return errNothingPublished
		}
		return errNoSuchAddress
	}
	if !nested {
		return s.page(ctx, collection, prefixed)
	}
	// No document has this address: sql.CheckID refuses such an id.
	if string(rest) == "changes" {
		return s.changes(ctx, collection, prefixed)
	}
	if collection.IDParts() > 0 {
		return s.textDocument(ctx, collection, rest, prefixed)
	}
	idText, documentPath, nested := bytes.Cut(rest, slash)
	endpoint := collection.Path(documentPath)
	// An empty segment does not make a shorter address.
	if endpoint == nil || len(idText) == 0 || nested != (len(documentPath) > 0) {
		return errNoSuchAddress
	}
	s.setTemplate(ctx, collection, "/{id}", documentPath)
	id, err := parseID(idText)
	if err != nil {
		return errBadID
	}
	if _, err := readQuery(ctx, prefixed); err != nil {
		return err
	}
	return s.document(ctx, endpoint, sql.IntID(id))
}

// textDocument answers with a document of a collection whose ids are texts. rest is the decoded path after the collection's name.
func (s *Server) textDocument(ctx *fasthttp.RequestCtx, collection *store.Collection, rest []byte, lenient bool) error {
	endpoint, id, documentPath := textID(collection, rest)
	if endpoint == nil {
		return errNoSuchAddress
	}
	s.setTemplate(ctx, collection, "/{id}", documentPath)
	if _, err := readQuery(ctx, lenient); err != nil {
		return err
	}
	if sql.CheckID(id, collection.IDParts()) != nil {
		return store.ErrNotFound
	}
	return s.document(ctx, endpoint, sql.TextID(string(id)))
}

// textID splits the decoded path of a document into its id and the path of its endpoint, which is nil if there is none. An id of several
// parts has as many segments. An id of one part may contain slashes: only if the last of several segments is the path of an endpoint, it is
// not part of the id.
func textID(collection *store.Collection, rest []byte) (endpoint *store.Endpoint, id, documentPath []byte) {
	parts := collection.IDParts()
	if parts == 1 {
		if last := bytes.LastIndexByte(rest, '/'); last > 0 && last+1 < len(rest) {
			if endpoint := collection.Path(rest[last+1:]); endpoint != nil {
				return endpoint, rest[:last], rest[last+1:]
			}
		}
		return collection.Path(nil), rest, nil
	}
	end := 0
	for range parts {
		if end == len(rest) {
			return nil, nil, nil
		}
		if end > 0 {
			end++ // the slash
		}
		if next := bytes.IndexByte(rest[end:], '/'); next >= 0 {
			end += next
		} else {
			end = len(rest)
		}
	}
	id, documentPath = rest[:end], bytes.TrimPrefix(rest[end:], slash)
	return collection.Path(documentPath), id, documentPath
}

// setTemplate sets the route of a request, for the metrics, to a template of a collection's address.
func (s *Server) setTemplate(ctx *fasthttp.RequestCtx, collection *store.Collection, tail string, documentPath []byte) {
	var buffer [256]byte
	template := append(append(append(buffer[:0], '/'), collection.Collection...), tail...)
	if len(documentPath) > 0 {
		template = append(append(template, '/'), documentPath...)
	}
	setRoute(ctx, s.metrics.route(template))
}

// document answers with a document, or with a 304.
func (s *Server) document(ctx *fasthttp.RequestCtx, endpoint *store.Endpoint, id sql.ID) error {
	unless := heldDocuments(&ctx.Request)
	response := &ctx.Response
	start := time.Now()
	// The store appends to the response's buffer. Meanwhile the response has none, and it gets none back if the lookup was abandoned.
	result, err := s.store.Get(endpoint, id, unless, response.SwapBody(nil)[:0])
	setServerTiming(&response.Header, time.Since(start))
	response.SwapBody(result.Body)
	if errors.Is(err, store.ErrNotFound) {
		// The gateway must replace its copy of a removed document with the 404. NGINX uses the first header: this one, and not the
		// Cache-Control of every error.
		response.Header.SetCanonical(keyAccelExpires, s.caching.absent)
		setDataVersion(&response.Header, result.Run)
	}
	if err != nil {
		return err
	}
	var etag [18]byte
	describe(response, appendDocumentETag(etag[:0], result.ETag), result.Run, s.caching.document)
	if result.NotModified {
		response.SetStatusCode(fasthttp.StatusNotModified)
		return nil
	}
	response.Header.SetContentTypeBytes(typeJSON)
	return nil
}

// page answers with a page of the collection.
func (s *Server) page(ctx *fasthttp.RequestCtx, collection *store.Collection, lenient bool) error {
	if collection.List == nil {
		return errNoSuchAddress
	}
	s.setTemplate(ctx, collection, "", nil)
	query, err := readQuery(ctx, lenient, pageParameter, countParameter)
	if err != nil {
		return err
	}
	page, err := query.number(pageParameter, defaultPage, 0)
	if err != nil {
		return errBadPage
	}
	count, err := query.number(countParameter, defaultCount, maxCount)
	if err != nil {
		return errBadCount
	}
	count = min(count, maxCount)
	skip := (min(page, lastPage) - 1) * count
	return s.answerVersioned(ctx, collection, func(dst []byte) (store.Result, error) {
		result, err := s.store.List(collection.List, skip, count, dst)
		if err == nil && result.Total >= 0 {
			setTotal(&ctx.Response.Header, result.Total)
		}
		return result, err
	})
}

// changes answers with a page of the change feed.
func (s *Server) changes(ctx *fasthttp.RequestCtx, collection *store.Collection, lenient bool) error {
	s.setTemplate(ctx, collection, "/changes", nil)
	query, err := readQuery(ctx, lenient, sinceParameter, afterParameter, countParameter)
	if err != nil {
		return err
	}
	since, err := parseSince(query.values[sinceParameter])
	if err != nil {
		return errBadSince
	}
	var after store.Cursor
	if query.given[afterParameter] {
		if after, err = parseCursor(query.values[afterParameter], collection.IDParts()); err != nil {
			return errBadAfter
		}
	}
	count, err := query.number(countParameter, defaultChanges, maxChanges)
	if err != nil {
		return errBadCount
	}
	count = min(count, maxChanges)
	return s.answerVersioned(ctx, collection, func(dst []byte) (store.Result, error) {
		return s.store.Changes(collection, since, after, count, dst)
	})
}

// answerVersioned answers with content that depends only on the data version. If the client has that version, it answers 304 without a
// lookup.
func (s *Server) answerVersioned(
	ctx *fasthttp.RequestCtx, collection *store.Collection, read func(dst []byte) (store.Result, error),
) error {
	response := &ctx.Response
	var etag [48]byte
	if holdsVersion(&ctx.Request, collection.Run, collection.PublishedAt) {
		describe(response, appendVersionETag(etag[:0], collection.Run, collection.PublishedAt), collection.Run, s.caching.page)
		response.SetStatusCode(fasthttp.StatusNotModified)
		return nil
	}
	start := time.Now()
	result, err := read(response.SwapBody(nil)[:0])
	setServerTiming(&response.Header, time.Since(start))
	response.SwapBody(result.Body)
	if errors.Is(err, store.ErrHistoryTooShort) {
		// The client continues from this version after it has read all documents again.
		setDataVersion(&response.Header, result.Run)
	}
	if err != nil {
		return err
	}
	describe(response, appendVersionETag(etag[:0], result.Run, result.PublishedAt), result.Run, s.caching.page)
	response.Header.SetContentTypeBytes(typeJSON)
	return nil
}

// parseSince parses a version: like parseNumber, but 0 is valid, and a number beyond int64 is returned as the largest.
func parseSince(text []byte) (int64, error) {
	if len(text) == 1 && text[0] == '0' {
		return 0, nil
	}
	value, err := parseNumber(text)
	if errors.Is(err, errTooLarge) {
		err = nil
	}
	return value, err
}

// parseCursor parses RUN.ENDPOINT.ID. An id that is a text may contain dots.
func parseCursor(text []byte, idParts int) (store.Cursor, error) {
	run, rest, _ := bytes.Cut(text, dot)
	document, id, _ := bytes.Cut(rest, dot)
	if !isName(document) {
		return store.Cursor{}, errNoCursor
	}
	cursor := store.Cursor{Document: string(document)}
	var err error
	if cursor.Run, err = parseNumber(run); err != nil {
		return store.Cursor{}, err
	}
	if idParts > 0 {
		if err := sql.CheckID(id, idParts); err != nil {
			return store.Cursor{}, err
		}
		cursor.ID = sql.TextID(string(id))
		return cursor, nil
	}
	number, err := parseID(id)
	if err != nil {
		return store.Cursor{}, err
	}
	cursor.ID = sql.IntID(number)
	return cursor, nil
}

// isName reports whether text can be the name of an endpoint.
func isName(text []byte) bool {
	for _, c := range text {
		if (c < 'a' || c > 'z') && (c < '0' || c > '9') && c != '_' {
			return false
		}
	}
	return len(text) > 0 && len(text) <= maxName
}
