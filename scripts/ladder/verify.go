package main

import (
	"context"
	"errors"
	"fmt"
	"net/http"

	"golang.org/x/sync/errgroup"

	"systemscale/scripts/ladder/report"
	"systemscale/scripts/ladder/rung"
	"systemscale/scripts/measure/load"
)

// subject is a rung that runs, with the right answers.
type subject struct {
	rung.Rung
	address   string
	reference *reference
}

// path returns the address of a request.
func (s *subject) path(request rung.Request) string {
	if s.Path != nil {
		return s.Path(request)
	}
	return request.Path()
}

// errDiffers means that a rung has returned another document than the published one.
var errDiffers = errors.New("the answer differs from the published document")

// compare returns errDiffers unless the body of a response is the published document.
func (s *subject) compare(request rung.Request, want answer, body []byte) error {
	document := body
	if s.Body != nil {
		var err error
		if document, err = s.Body(body); err != nil {
			return fmt.Errorf("rung %s, %s: %w: %w", s.Name, s.path(request), errDiffers, err)
		}
	}
	if found := difference(want.body, document); found != "" {
		return fmt.Errorf("rung %s, %s: %w: %s", s.Name, s.path(request), errDiffers, found)
	}
	return nil
}

// verify sends a request and returns an error unless the answer is right.
func (s *subject) verify(ctx context.Context, request rung.Request) error {
	want, err := s.reference.answer(ctx, request)
	if err != nil {
		return err
	}
	status := http.StatusOK
	if !want.found {
		status = http.StatusNotFound
	}
	_, body, err := load.Get(ctx, s.address, s.path(request), "", status)
	if err != nil {
		return fmt.Errorf("rung %s: %w", s.Name, err)
	}
	if !want.found {
		return nil
	}
	return s.compare(request, want, body)
}

// verifyAll verifies the requests, several at a time, and returns the first error.
func (s *subject) verifyAll(ctx context.Context, requests []rung.Request) error {
	group, groupCtx := errgroup.WithContext(ctx)
	group.SetLimit(4)
	for _, request := range requests {
		if groupCtx.Err() != nil {
			break
		}
		group.Go(func() error { return s.verify(groupCtx, request) })
	}
	return group.Wait()
}

// verification returns the requests whose answers are compared before a rung is measured for the first time: all of hot traffic, as many at
// random as random, products that do not exist, and pages at the ends of the list.
func (t *traffic) verification(random int) []rung.Request {
	requests := append(t.allHot(), t.trace(report.Uniform, report.All, 99, random)...)
	for _, beyond := range []int{1, 2, 1000, 1_000_000_000} {
		for _, endpoint := range []rung.Endpoint{rung.Product, rung.Styles, rung.Related} {
			requests = append(requests, rung.Request{Endpoint: endpoint, ID: int64(t.products + beyond)})
		}
	}
	last := lastPage(t.products)
	for _, page := range []int{1, 2, last - 1, last, last + 1, last + 1000} {
		requests = append(requests, rung.Request{Endpoint: rung.List, Page: max(1, page), Count: load.PageCount})
	}
	for _, count := range []int{1, 7, 100} {
		requests = append(requests, rung.Request{Endpoint: rung.List, Page: 1, Count: count}, rung.Request{Endpoint: rung.List, Page: 3, Count: count})
	}
	return requests
}
