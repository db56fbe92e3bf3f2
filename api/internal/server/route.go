package server

import (
	"bytes"
	"strconv"

	"github.com/gofiber/fiber/v2"
	"github.com/valyala/fasthttp"

	"systemscale/api/internal/store"
)

const (
	defaultPage  = 1
	defaultCount = 5
	maxCount     = 100 // also sql.AnchorEvery, the most that a page may reach beyond its anchor

	// lastPage stands for every page beyond it. It is past the end of anything, and its first document's
	// number still fits an int64.
	lastPage = 1 << 53
)

// route answers a GET or a HEAD. Nothing that it takes from the request outlives it.
func (s *Server) route(c *fiber.Ctx) error {
	ctx := c.Context()
	snapshot := s.store.Snapshot()
	if snapshot.Empty() {
		return errNothingPublished
	}
	path, rooted := bytes.CutPrefix(ctx.URI().PathOriginal(), slash)
	name, rest, nested := bytes.Cut(path, slash)
	collection := snapshot.Collection(name)
	if !rooted || collection == nil {
		return errNoSuchAddress
	}
	if !nested {
		return s.page(ctx, collection)
	}
	idText, documentPath, nested := bytes.Cut(rest, slash)
	document := collection.Path(documentPath)
	// An empty segment is no other way of writing a shorter address.
	if document == nil || len(idText) == 0 || nested != (len(documentPath) > 0) {
		return errNoSuchAddress
	}
	id, err := parseNumber(idText)
	if err != nil {
		return errBadID
	}
	return s.document(ctx, document, id)
}

// document answers with one document, or with the news that the client's copy is still right.
func (s *Server) document(ctx *fasthttp.RequestCtx, document *store.Document, id int64) error {
	unless := heldDocuments(ctx.Request.Header.PeekBytes(keyIfNoneMatch))
	response := &ctx.Response
	// The store appends to the very buffer that goes to the socket. While it has it, the response has none,
	// and if the lookup was abandoned the response stays without.
	result, err := s.store.Get(document, id, unless, response.SwapBody(nil)[:0])
	response.SwapBody(result.Body)
	if err != nil {
		return err
	}
	var etag [18]byte
	describe(response, appendDocumentETag(etag[:0], result.ETag), result.Run)
	if result.NotModified {
		response.SetStatusCode(fasthttp.StatusNotModified)
		return nil
	}
	response.Header.SetContentTypeBytes(typeJSON)
	return nil
}

// page answers with a page of the collection. While the version stands, so does the page, and saying so asks nobody.
func (s *Server) page(ctx *fasthttp.RequestCtx, collection *store.Collection) error {
	if collection.List == nil {
		return errNoSuchAddress
	}
	page, err := parseQuery(ctx.QueryArgs(), "page", defaultPage)
	if err != nil {
		return errBadPage
	}
	count, err := parseQuery(ctx.QueryArgs(), "count", defaultCount)
	if err != nil || count > maxCount {
		return errBadCount
	}
	response := &ctx.Response
	var etag [48]byte
	if holdsVersion(ctx.Request.Header.PeekBytes(keyIfNoneMatch), collection.Run, collection.PublishedAt) {
		describe(response, appendVersionETag(etag[:0], collection.Run, collection.PublishedAt), collection.Run)
		response.SetStatusCode(fasthttp.StatusNotModified)
		return nil
	}
	skip := (min(page, lastPage) - 1) * count
	result, err := s.store.List(collection.List, skip, count, response.SwapBody(nil)[:0])
	response.SwapBody(result.Body)
	if err != nil {
		return err
	}
	describe(response, appendVersionETag(etag[:0], result.Run, result.PublishedAt), result.Run)
	response.Header.SetContentTypeBytes(typeJSON)
	return nil
}

// parseQuery returns the number that a query parameter holds, or otherwise if the parameter is not there. A
// number beyond int64 is returned as the largest.
func parseQuery(arguments *fasthttp.Args, name string, otherwise int64) (int64, error) {
	if !arguments.Has(name) {
		return otherwise, nil
	}
	value, err := parseNumber(arguments.Peek(name))
	if err == errTooLarge {
		err = nil
	}
	return value, err
}

// parseNumber reads a positive number without sign or leading zero. Beyond int64 it returns the largest and errTooLarge.
func parseNumber(text []byte) (int64, error) {
	if len(text) == 0 || text[0] == '0' {
		return 0, errNoNumber
	}
	for _, digit := range text {
		if digit < '0' || digit > '9' {
			return 0, errNoNumber
		}
	}
	value, err := strconv.ParseInt(string(text), 10, 64)
	if err != nil {
		return value, errTooLarge
	}
	return value, nil
}
