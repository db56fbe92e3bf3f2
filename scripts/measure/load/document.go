package load

import (
	"bytes"
	"compress/gzip"
	"context"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"time"
)

// Document is a document that is requested repeatedly.
type Document struct {
	Path string
	ETag string
	Body []byte
}

// Header returns an additional header of the request for a document, as "Name: value", or "".
type Header func(Document) string

// NoHeader adds no header.
func NoHeader(Document) string { return "" }

// AcceptGzip accepts compressed bodies.
func AcceptGzip(Document) string { return "Accept-Encoding: gzip" }

// IfNoneMatch requests the document only if it has changed.
func IfNoneMatch(d Document) string { return "If-None-Match: " + d.ETag }

// HotStyles requests the styles of count random products. The selection depends only on the number of products.
func HotStyles(ctx context.Context, address string, products, count int) ([]Document, error) {
	random := rand.New(rand.NewPCG(2, 0))
	chosen := random.Perm(products)[:min(count, products)]
	documents := make([]Document, len(chosen))
	for i, product := range chosen {
		d := Document{Path: fmt.Sprintf("/products/%d/styles", product+1)}
		headers, body, err := Get(ctx, address, d.Path, "", http.StatusOK)
		if err != nil {
			return nil, err
		}
		d.ETag, d.Body = headers.Get("ETag"), body
		if d.ETag == "" || len(body) == 0 {
			return nil, fmt.Errorf("http://%s%s has %d bytes and the ETag %q", address, d.Path, len(body), d.ETag)
		}
		documents[i] = d
	}
	return documents, nil
}

// MeanSize returns the mean size of the bodies, in bytes.
func MeanSize(documents []Document) float64 {
	total := 0
	for _, d := range documents {
		total += len(d.Body)
	}
	return float64(total) / float64(len(documents))
}

// Compare returns an error unless a server returns the same bodies as the API.
func Compare(ctx context.Context, address string, documents []Document, h Header) error {
	for _, d := range documents {
		headers, body, err := Get(ctx, address, d.Path, h(d), http.StatusOK)
		if err != nil {
			return err
		}
		if headers.Get("Content-Encoding") == "gzip" {
			reader, err := gzip.NewReader(bytes.NewReader(body))
			if err == nil {
				body, err = io.ReadAll(reader)
			}
			if err != nil {
				return fmt.Errorf("decompress http://%s%s: %w", address, d.Path, err)
			}
		}
		if !bytes.Equal(body, d.Body) {
			return fmt.Errorf("http://%s%s returns %d bytes, which differ from the API's %d", address, d.Path, len(body), len(d.Body))
		}
	}
	return nil
}

// eachOnce is traffic that requests every step-th document once.
type eachOnce struct {
	documents []Document
	header    Header
	step      int
}

func (e *eachOnce) Next() []byte {
	if len(e.documents) == 0 {
		return nil
	}
	request := appendEnd([]byte("GET "+e.documents[0].Path), e.header(e.documents[0]))
	e.documents = e.documents[min(e.step, len(e.documents)):]
	return request
}

// RequestAll requests each document once. It returns an error unless all responses have the status.
func RequestAll(ctx context.Context, address string, documents []Document, h Header, status int) (Load, error) {
	const connections = 8
	return Generator{Address: address, Connections: connections, Status: status}.Run(ctx, func(connection int) Traffic {
		return &eachOnce{documents[min(connection, len(documents)):], h, connections}
	})
}

// FillCache requests the documents until all are in the cache and fresh.
func FillCache(ctx context.Context, address string, documents []Document, h Header) error {
	deadline := time.Now().Add(20 * time.Second)
	for {
		got, err := RequestAll(ctx, address, documents, h, http.StatusOK)
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

// Random is endless traffic that requests documents at random.
type Random struct {
	Documents []Document
	Header    Header
	Source    *rand.Rand
	request   []byte
}

// Next returns a request, which is valid until the next call.
func (r *Random) Next() []byte {
	d := r.Documents[r.Source.IntN(len(r.Documents))]
	r.request = appendEnd(append(append(r.request[:0], "GET "...), d.Path...), r.Header(d))
	return r.request
}
