package main

import (
	"bufio"
	"errors"
	"net"
	"net/http"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"
)

// answering is a server of one connection that answers the n-th request on it, from 0, when and with what answer says.
func answering(answer func(n int) (after time.Duration, response string)) func(string) (net.Conn, error) {
	return func(string) (net.Conn, error) {
		client, server := net.Pipe()
		go func() {
			defer func() { _ = server.Close() }()
			reader := bufio.NewReader(server)
			for n := 0; ; n++ {
				if _, err := http.ReadRequest(reader); err != nil {
					return
				}
				after, response := answer(n)
				time.Sleep(after)
				if _, err := server.Write([]byte(response)); err != nil {
					return
				}
			}
		}()
		return client, nil
	}
}

const fine = "HTTP/1.1 200 OK\r\nX-Cache: HIT\r\nContent-Length: 2\r\n\r\n[]"

type always struct{}

func (always) next() []byte { return appendEnd([]byte("GET /"), "") }

func TestLatencyCountsFromWhenARequestWasDue(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := drive{connections: 1, duration: 100 * time.Millisecond, rate: 1000, status: 200, dial: answering(func(n int) (time.Duration, string) {
			if n == 10 {
				return 50 * time.Millisecond, fine
			}
			return 0, fine
		})}
		got, err := d.run(t.Context(), func(int) traffic { return always{} })
		if err != nil {
			t.Fatal(err)
		}
		// Requests 10 to 59 wait for the end of request 10's answer, at 60 ms: 50, 49, … 1 ms. The other 50 wait for nothing.
		if got.Requests != 100 || got.P50 != 0 || got.P99 != 49_000 || got.P999 != 50_000 || got.Microseconds != 100_000 || got.rate() != 1000 {
			t.Errorf("%+v", got)
		}
		if got.Cache["HIT"] != 100 || got.Bytes != int64(100*len(fine)) {
			t.Errorf("%v hits and %d bytes, want 100 and %d", got.Cache, got.Bytes, 100*len(fine))
		}
	})
}

func TestConnectionsTakeTurns(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		// Every answer takes as long as three requests are apart: with four connections none is late, with two half of the time is missing.
		for connections, want := range map[int]struct{ p50, p999 int64 }{4: {3000, 3000}, 2: {15_000, 27_000}} {
			d := drive{connections: connections, duration: 50 * time.Millisecond, rate: 1000, status: 200, dial: answering(func(int) (time.Duration, string) { return 3 * time.Millisecond, fine })}
			got, err := d.run(t.Context(), func(int) traffic { return always{} })
			if err != nil || got.Requests != 50 || got.P50 != want.p50 || got.P999 != want.p999 {
				t.Errorf("%d connections: %+v, %v", connections, got, err)
			}
		}
	})
}

func TestWithoutARateEveryConnectionAsksAgainWhenItHasItsAnswer(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := drive{connections: 3, duration: 90 * time.Millisecond, status: 200, dial: answering(func(int) (time.Duration, string) { return 20 * time.Millisecond, fine })}
		got, err := d.run(t.Context(), func(int) traffic { return always{} })
		// The last ones are under way when time is up.
		if err != nil || got.Requests != 15 || got.P50 != 20_000 || got.P999 != 20_000 || got.rate() != 150 {
			t.Errorf("%+v, %v", got, err)
		}
	})
}

func TestWhatIsAnsweredOtherwiseIsAnError(t *testing.T) {
	const limited = "HTTP/1.1 429 Too Many Requests\r\nContent-Length: 0\r\n\r\n"
	for name, test := range map[string]struct {
		dial   func(string) (net.Conn, error)
		errors int64
		want   string
	}{
		"one status": {answering(func(n int) (time.Duration, string) {
			if n == 3 {
				return 0, limited
			}
			return 0, fine
		}), 24, `429 for "GET /`},
		"every status": {answering(func(int) (time.Duration, string) { return 0, limited }), 2 * maxErrors, "of 0 requests failed"},
		"no answer":    {answering(func(int) (time.Duration, string) { return 2 * patience, fine }), 2 * maxErrors, "timeout"},
		"half of one":  {answering(func(int) (time.Duration, string) { return 0, "HTTP/1.1 200 OK\r\nContent-Length: 200\r\n\r\n[" }), 2 * maxErrors, "timeout"},
		"nobody":       {func(string) (net.Conn, error) { return nil, errors.New("nobody listens") }, 2 * maxErrors, "nobody listens"},
	} {
		synctest.Test(t, func(t *testing.T) {
			documents := slices.Repeat([]document{{path: "/"}}, 100)
			got, err := drive{connections: 2, status: 200, dial: test.dial}.run(t.Context(), func(connection int) traffic {
				return &round{documents[connection:], plain, 2}
			})
			time.Sleep(2 * patience) // until the server has ended as well
			if err == nil || !strings.Contains(err.Error(), test.want) {
				t.Errorf("%s: %v, want %q", name, err, test.want)
			}
			if got.Errors != test.errors {
				t.Errorf("%s: %d errors, want %d", name, got.Errors, test.errors)
			}
		})
	}
}

func TestPercentile(t *testing.T) {
	thousand := make([]time.Duration, 1000)
	for i := range thousand {
		thousand[i] = time.Duration(i + 1)
	}
	for _, test := range []struct {
		sorted   []time.Duration
		perMille int
		want     time.Duration
	}{
		{nil, 500, 0},
		{thousand[:1], 500, 1},
		{thousand[:1], 999, 1},
		{thousand[:2], 500, 1},
		{thousand[:3], 500, 2},
		{thousand, 500, 500},
		{thousand, 990, 990},
		{thousand, 999, 999},
		{thousand, 1000, 1000},
		{thousand, 0, 1},
		{thousand[:100], 999, 100},
		{thousand[:100], 990, 99},
		{thousand[:11], 910, 11},
	} {
		if got := percentile(test.sorted, test.perMille); got != test.want {
			t.Errorf("percentile of %d values, %d ‰ = %d, want %d", len(test.sorted), test.perMille, got, test.want)
		}
	}
}

func TestARoundAsksForEveryDocumentOnce(t *testing.T) {
	const connections = 3
	documents := make([]document, 7)
	for i := range documents {
		documents[i] = document{path: "/" + string(rune('a'+i)), etag: `"` + string(rune('a'+i)) + `"`}
	}
	seen := map[string]int{}
	for connection := range connections {
		for one := (&round{documents[connection:], ifChanged, connections}); ; {
			request := one.next()
			if request == nil {
				break
			}
			seen[string(request)]++
		}
	}
	for _, d := range documents {
		if request := "GET " + d.path + " HTTP/1.1\r\nHost: bench\r\nIf-None-Match: " + d.etag + "\r\n\r\n"; seen[request] != 1 {
			t.Errorf("%q was asked %d times", request, seen[request])
		}
	}
	if len(seen) != len(documents) {
		t.Errorf("%d different requests, want %d: %v", len(seen), len(documents), seen)
	}
}
