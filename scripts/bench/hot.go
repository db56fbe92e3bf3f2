package main

import (
	"bytes"
	"compress/gzip"
	"context"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"time"
)

// hotCount is the number of documents that are requested repeatedly.
const hotCount = 2000

// document is a document that is requested repeatedly.
type document struct {
	path string
	etag string
	body []byte
}

// header returns an additional header of the request for a document, as "Name: value", or "".
type header func(document) string

func noHeader(document) string      { return "" }
func acceptGzip(document) string    { return "Accept-Encoding: gzip" }
func ifNoneMatch(d document) string { return "If-None-Match: " + d.etag }

// hotDocuments requests the styles of random products. The selection depends only on the number of products.
func hotDocuments(ctx context.Context, address string, products int) ([]document, error) {
	random := rand.New(rand.NewPCG(2, 0))
	chosen := random.Perm(products)[:min(hotCount, products)]
	documents := make([]document, len(chosen))
	for i, product := range chosen {
		d := document{path: fmt.Sprintf("/products/%d/styles", product+1)}
		headers, body, err := get(ctx, address, d.path, "", http.StatusOK)
		if err != nil {
			return nil, err
		}
		d.etag, d.body = headers.Get("ETag"), body
		if d.etag == "" || len(body) == 0 {
			return nil, fmt.Errorf("http://%s%s has %d bytes and the ETag %q", address, d.path, len(body), d.etag)
		}
		documents[i] = d
	}
	return documents, nil
}

// meanSize returns the mean size of the bodies, in bytes.
func meanSize(documents []document) float64 {
	total := 0
	for _, d := range documents {
		total += len(d.body)
	}
	return float64(total) / float64(len(documents))
}

// writeRequests writes the requests to a file for requests.lua and returns its path.
func (c *apiCommand) writeRequests(name string, documents []document, h header) (string, error) {
	var text strings.Builder
	for _, d := range documents {
		text.WriteString(d.path)
		if value := h(d); value != "" {
			text.WriteString("\t" + value)
		}
		text.WriteByte('\n')
	}
	path := filepath.Join(c.Work, name)
	return path, os.WriteFile(path, []byte(text.String()), 0o644)
}

// compareDocuments returns an error unless a server returns the same bodies as the API.
func compareDocuments(ctx context.Context, address string, documents []document, h header) error {
	for _, d := range documents {
		headers, body, err := get(ctx, address, d.path, h(d), http.StatusOK)
		if err != nil {
			return err
		}
		if headers.Get("Content-Encoding") == "gzip" {
			reader, err := gzip.NewReader(bytes.NewReader(body))
			if err == nil {
				body, err = io.ReadAll(reader)
			}
			if err != nil {
				return fmt.Errorf("decompress http://%s%s: %w", address, d.path, err)
			}
		}
		if !bytes.Equal(body, d.body) {
			return fmt.Errorf("http://%s%s returns %d bytes, which differ from the API's %d", address, d.path, len(body), len(d.body))
		}
	}
	return nil
}

// eachOnce is traffic that requests every step-th document once.
type eachOnce struct {
	documents []document
	header    header
	step      int
}

func (e *eachOnce) next() []byte {
	if len(e.documents) == 0 {
		return nil
	}
	request := appendEnd([]byte("GET "+e.documents[0].path), e.header(e.documents[0]))
	e.documents = e.documents[min(e.step, len(e.documents)):]
	return request
}

// requestAll requests each document once. It returns an error unless all responses have the status.
func requestAll(ctx context.Context, address string, documents []document, h header, status int) (load, error) {
	const connections = 8
	return generator{address: address, connections: connections, status: status}.run(ctx, func(connection int) traffic {
		return &eachOnce{documents[min(connection, len(documents)):], h, connections}
	})
}

// fillCache requests the documents until all are in the cache and fresh.
func fillCache(ctx context.Context, address string, documents []document, h header) error {
	deadline := time.Now().Add(20 * time.Second)
	for {
		got, err := requestAll(ctx, address, documents, h, http.StatusOK)
		if err != nil {
			return fmt.Errorf("fill the cache: %w", err)
		}
		if got.Cache["HIT"] == int64(len(documents)) {
			return nil
		}
		if time.Now().After(deadline) {
			return fmt.Errorf("fill the cache: after several requests for %d documents, X-Cache was %v", len(documents), got.Cache)
		}
	}
}

// randomTraffic is endless traffic that requests documents at random.
type randomTraffic struct {
	documents []document
	header    header
	random    *rand.Rand
	request   []byte
}

func (r *randomTraffic) next() []byte {
	d := r.documents[r.random.IntN(len(r.documents))]
	r.request = appendEnd(append(append(r.request[:0], "GET "...), d.path...), r.header(d))
	return r.request
}
