// Package rung starts the rungs of the ladder: the ways to answer the catalog's requests, from joins at request time behind one server to
// precomputed documents behind a gateway with caches. All rungs read the same PostgreSQL and return the same documents, as JSON.
//
// A rung consists of processes of its own, so that the processor time of each can be measured. It is started and stopped as a whole.
// Several rungs may run at a time, but only one goroutine may start and stop them.
package rung

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"slices"
)

// Data is what every rung reads.
type Data struct {
	DatabaseURL string // of the database with the published documents, as the ETL's role; Normalize adds the same catalog in the schema ladder
	CSV         string // the directory of the dump
	Products    int    // ids are 1 to Products
	Directory   string // absolute; for the programs, configuration and logs of the rungs
}

// Rung is one way to answer the requests.
type Rung struct {
	Name   string // stable, such as "joins-2-round-robin": for JSON and file names
	Title  string // for people
	Letter string // of the group of rungs, "a" to "i"
	Cached bool   // it keeps responses, so it must be warmed up before it is measured

	// Start starts the rung and waits until it answers. After an error nothing is left running.
	Start func(ctx context.Context, data Data) (*Running, error)

	// Path returns the address of a request; nil: Request.Path.
	Path func(request Request) string

	// Body returns the document in a response; nil: the response is the document.
	Body func(body []byte) ([]byte, error)
}

// Running is a rung that has been started.
type Running struct {
	Address string // host:port

	// Processes are the ids of the processes that the rung has started, by role: "plain", "express", "api", "nginx" or "redis". Their
	// children belong to them. PostgreSQL is not among them.
	Processes map[string][]int

	admins []string       // admin addresses of the API's instances
	stops  []func() error // in the order of the starts
}

// Stop ends the rung's processes, in the reverse order of their start, and waits for them. It returns the errors of all.
func (r *Running) Stop() error {
	var errs []error
	for _, stop := range slices.Backward(r.stops) {
		errs = append(errs, stop())
	}
	r.stops = nil
	return errors.Join(errs...)
}

// add records a started process.
func (r *Running) add(role string, pid int, stop func() error) {
	if r.Processes == nil {
		r.Processes = map[string][]int{}
	}
	r.Processes[role] = append(r.Processes[role], pid)
	r.stops = append(r.stops, stop)
}

// orStop returns r, or, after an error of its start, stops what has been started.
func (r *Running) orStop(err error) (*Running, error) {
	if err != nil {
		return nil, errors.Join(err, r.Stop())
	}
	return r, nil
}

// log returns the path of the log of an instance.
func (d Data) log(rung, role string, instance int) string {
	return filepath.Join(d.Directory, fmt.Sprintf("%s-%s-%d.log", rung, role, instance+1))
}
