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

// pages serves the addresses without a collection: the storefront, the documentation, and the description of the API.
type pages struct {
	site      *web.Site // may be nil
	described atomic.Pointer[described]
	describe  sync.Mutex // held while a description is generated, so that concurrent requests share one
}

// described is the description of one snapshot.
type described struct {
	snapshot *store.Snapshot
	file     *web.File
}

// at returns the file at an address, or nil.
func (p *pages) at(address []byte, snapshot *store.Snapshot) *web.File {
	if p.site == nil {
		return nil
	}
	if string(address) == descriptionAddress {
		return p.description(snapshot)
	}
	return p.site.Lookup(address)
}

// notFound returns the page for an unknown address, or nil if the pages were not built.
func (p *pages) notFound() *web.File {
	if p.site == nil {
		return nil
	}
	return p.site.NotFound()
}

// description returns the OpenAPI description of snapshot. It is cached until the snapshot changes.
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
		next := openapi.Collection{Name: collection.Collection, IDParts: collection.IDParts()}
		for _, endpoint := range collection.Endpoints {
			next.Endpoints = append(next.Endpoints, openapi.Endpoint{Path: endpoint.Path, List: endpoint.List, Schema: endpoint.Schema})
		}
		collections = append(collections, next)
	}
	file := web.Description(collections...)
	p.described.Store(&described{snapshot, file})
	return file
}

// answerFile answers with a file, or with a 304.
func answerFile(ctx *fasthttp.RequestCtx, file *web.File) {
	response := &ctx.Response
	header := &response.Header
	header.SetCanonical(keyETag, []byte(file.ETag))
	// Browsers always revalidate. X-Accel-Expires: 1 lets NGINX answer those revalidations with 304. NGINX uses the first of the two
	// headers.
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
