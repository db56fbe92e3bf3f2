package server

import (
	"bytes"
	"strings"
	"sync"
	"sync/atomic"

	"github.com/valyala/fasthttp"

	"systemscale/api/internal/store"
	"systemscale/api/openapi"
	"systemscale/api/web"
)

const descriptionAddress = "/openapi.yaml"

// pages are what people see where no collection is: the storefront, the documentation, and the description of what is published.
type pages struct {
	site      *web.Site // nil: there are none
	described atomic.Pointer[described]
	describe  sync.Mutex // held while a description is made, so that requests that arrive together make one
}

// described is the description of one snapshot.
type described struct {
	snapshot *store.Snapshot
	file     *web.File
}

// at returns what there is to see at an address, or nil.
func (p *pages) at(address []byte, snapshot *store.Snapshot) *web.File {
	if p.site == nil {
		return nil
	}
	if string(address) == descriptionAddress {
		return p.description(snapshot)
	}
	return p.site.Lookup(address)
}

// notFound returns what people see at an address where there is nothing, or nil if no such page was built.
func (p *pages) notFound() *web.File {
	if p.site == nil {
		return nil
	}
	return p.site.NotFound()
}

// description describes what is published. It is made anew when that changes.
func (p *pages) description(snapshot *store.Snapshot) *web.File {
	if known := p.described.Load(); known != nil && known.snapshot == snapshot {
		return known.file
	}
	p.describe.Lock()
	defer p.describe.Unlock()
	if known := p.described.Load(); known != nil && known.snapshot == snapshot {
		return known.file
	}
	var collections []openapi.Collection
	for _, collection := range snapshot.Collections() {
		next := openapi.Collection{Name: collection.Collection}
		for _, endpoint := range collection.Endpoints {
			next.Endpoints = append(next.Endpoints, openapi.Endpoint{Path: endpoint.Path, List: endpoint.List, Schema: endpoint.Schema})
		}
		collections = append(collections, next)
	}
	file := web.Description(collections...)
	p.described.Store(&described{snapshot, file})
	return file
}

// show answers with a file, or with the news that the client's copy is still right.
func (s *Server) answerFile(ctx *fasthttp.RequestCtx, file *web.File) {
	response := &ctx.Response
	header := &response.Header
	header.SetCanonical(keyETag, []byte(file.ETag))
	// A browser is to ask each time. NGINX may answer it for a second, and so tells it, if that is so, that nothing has changed: with what it
	// must not keep it would not. It goes by whichever header comes first.
	header.SetCanonical(keyAccelExpires, oneSecond)
	header.SetCanonical(keyCacheControl, []byte(file.CacheControl))
	header.Set(fasthttp.HeaderVary, fasthttp.HeaderAcceptEncoding)
	if file.Policy != "" {
		header.SetCanonical(keyContentSecurityPolicy, []byte(file.Policy))
	}
	setCORS(header)
	etag := []byte(strings.TrimPrefix(file.ETag, "W/"))
	held := false
	visitHeldETags(&ctx.Request, func(tag []byte) { held = held || tag[0] == '*' || bytes.Equal(tag, etag) })
	if held {
		response.SetStatusCode(fasthttp.StatusNotModified)
		return
	}
	header.SetContentType(file.ContentType)
	if compressed := file.Gzip(); compressed != nil && ctx.Request.Header.HasAcceptEncoding("gzip") {
		header.SetContentEncoding("gzip")
		response.SetBodyRaw(compressed)
		return
	}
	response.SetBodyRaw(file.Body)
}
