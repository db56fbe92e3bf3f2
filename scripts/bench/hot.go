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

// hotCount is how many documents are asked for again and again.
const hotCount = 2000

// document is one that is asked for again and again.
type document struct {
	path string
	etag string
	body []byte
}

// header is what a request for a document has besides, as "Name: value", or "".
type header func(document) string

func plain(document) string       { return "" }
func zipped(document) string      { return "Accept-Encoding: gzip" }
func ifChanged(d document) string { return "If-None-Match: " + d.etag }

// hotDocuments returns random products' styles as a server answers them. The same products give the same documents.
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

// meanSize is of the bodies, in bytes.
func meanSize(documents []document) float64 {
	total := 0
	for _, d := range documents {
		total += len(d.body)
	}
	return float64(total) / float64(len(documents))
}

// writeRequests writes a file for requests.lua.
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

// compare is an error unless a server answers every document as the API did.
func compare(ctx context.Context, address string, documents []document, h header) error {
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
				return fmt.Errorf("unpack http://%s%s: %w", address, d.path, err)
			}
		}
		if !bytes.Equal(body, d.body) {
			return fmt.Errorf("http://%s%s has %d bytes other than the API's %d", address, d.path, len(body), len(d.body))
		}
	}
	return nil
}

// round is traffic that asks for every step-th document once.
type round struct {
	documents []document
	header    header
	step      int
}

func (r *round) next() []byte {
	if len(r.documents) == 0 {
		return nil
	}
	request := appendEnd([]byte("GET "+r.documents[0].path), r.header(r.documents[0]))
	r.documents = r.documents[min(r.step, len(r.documents)):]
	return request
}

// askAll asks for every document once, and is an error unless all answers have the status.
func askAll(ctx context.Context, address string, documents []document, h header, status int) (load, error) {
	const connections = 8
	return drive{address: address, connections: connections, status: status}.run(ctx, func(connection int) traffic {
		return &round{documents[min(connection, len(documents)):], h, connections}
	})
}

// heat asks for the documents until all are in the cache and fresh.
func heat(ctx context.Context, address string, documents []document, h header) error {
	deadline := time.Now().Add(20 * time.Second)
	for {
		got, err := askAll(ctx, address, documents, h, http.StatusOK)
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

// shuffled is traffic that asks for documents at random, for ever.
type shuffled struct {
	documents []document
	header    header
	random    *rand.Rand
	request   []byte
}

func (s *shuffled) next() []byte {
	d := s.documents[s.random.IntN(len(s.documents))]
	s.request = appendEnd(append(append(s.request[:0], "GET "...), d.path...), s.header(d))
	return s.request
}
