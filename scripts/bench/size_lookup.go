package main

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"net/http"
	"os"
	"time"

	"systemscale/scripts/growth/size"
	"systemscale/scripts/measure"
	"systemscale/scripts/measure/load"
	"systemscale/scripts/measure/server"
	"systemscale/scripts/measure/workspace"
)

// documentPaths are the ends of the addresses of an item's documents.
var documentPaths = [...]string{"", "/styles", "/related"}

// uniform is traffic that requests the documents of items at random, all with the same probability, as often as left.
type uniform struct {
	random   *rand.Rand
	products int
	left     int
	request  []byte
}

func newUniform(round, connection, products, requests int) *uniform {
	return &uniform{random: rand.New(rand.NewPCG(uint64(round), uint64(connection))), products: products, left: requests}
}

// Next implements load.Traffic.
func (u *uniform) Next() []byte {
	if u.left == 0 {
		return nil
	}
	u.left--
	u.request = fmt.Appendf(u.request[:0], "GET /products/%d%s HTTP/1.1\r\nHost: bench\r\n\r\n",
		1+u.random.IntN(u.products), documentPaths[u.left%len(documentPaths)])
	return u.request
}

// measureLookups measures the processor time of lookups through one API process. The number of requests is the same for each size, and so
// is the number of connections, on which the size of a batch depends.
func measureLookups(ctx context.Context, w *workspace.Workspace, postgres []int, rounds, requests int) (one size.Lookup, err error) {
	const connections = 16
	api, err := server.API{Name: "api", Program: w.Program("api"), Database: w.APIURL(), Logs: w.Work}.Start(ctx)
	if api != nil {
		defer func() { err = errors.Join(err, api.Stop()) }()
	}
	if err != nil {
		return one, err
	}
	roles := map[string][]int{"api": {api.PID}, "postgres": postgres}
	// The first round is a warm-up: the operating system reads the tables.
	for round := range rounds + 1 {
		before := measure.ReadUsage(roles)
		got, err := load.Generator{Address: api.Address, Connections: connections, Status: http.StatusOK}.Run(ctx, func(connection int) load.Traffic {
			return newUniform(round, connection, w.Products, 1+requests/connections)
		})
		if err != nil {
			return one, fmt.Errorf("measure lookups: %w", err)
		}
		if round == 0 {
			continue
		}
		each := func(used time.Duration) float64 { return float64(used.Nanoseconds()) / 1e3 / float64(got.Requests) }
		used := measure.ReadUsage(roles).Since(before)
		one.API = append(one.API, each(used["api"]))
		one.Postgres = append(one.Postgres, each(used["postgres"]))
		one.Bytes = float64(got.Bytes) / float64(got.Requests)
		fmt.Fprintf(os.Stderr, "%d products, a lookup: %.1f µs and %.1f µs of PostgreSQL\n", w.Products, each(used["api"]), each(used["postgres"]))
	}
	return one, nil
}
