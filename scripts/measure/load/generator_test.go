package load

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

	"github.com/google/go-cmp/cmp"
)

// dialServer returns a dial function for a server. For the n-th request of a connection, from 0, it sends the response of respond after
// the delay.
func dialServer(respond func(n int) (delay time.Duration, response string)) func(string) (net.Conn, error) {
	return func(string) (net.Conn, error) {
		client, server := net.Pipe()
		go func() {
			defer func() { _ = server.Close() }()
			reader := bufio.NewReader(server)
			for n := 0; ; n++ {
				if _, err := http.ReadRequest(reader); err != nil {
					return
				}
				delay, response := respond(n)
				time.Sleep(delay)
				if _, err := server.Write([]byte(response)); err != nil {
					return
				}
			}
		}()
		return client, nil
	}
}

const okResponse = "HTTP/1.1 200 OK\r\nX-Cache: HIT\r\nContent-Length: 2\r\n\r\n[]"

// endless is traffic that repeats one request.
type endless struct{}

func (endless) Next() []byte { return appendEnd([]byte("GET /"), "") }

func TestLatencyIncludesTheDelayOfEarlierResponses(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		dial := dialServer(func(n int) (time.Duration, string) {
			if n == 10 {
				return 50 * time.Millisecond, okResponse
			}
			return 0, okResponse
		})
		g := Generator{Connections: 1, Duration: 100 * time.Millisecond, Rate: 1000, Status: 200, Dial: dial}
		got, err := g.Run(t.Context(), func(int) Traffic { return endless{} })
		if err != nil {
			t.Fatal(err)
		}
		// Requests 10 to 59 wait for the response to request 10, at 60 ms: 50, 49, ... 1 ms. The other 50 do not wait.
		want := Load{
			Requests: 100, Microseconds: 100_000, P50: 0, P99: 49_000, P999: 50_000,
			Bytes: int64(100 * len(okResponse)), Cache: map[string]int64{"HIT": 100},
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("load (-want +got):\n%s", diff)
		}
		if got.Rate() != 1000 {
			t.Errorf("%g requests per second, want 1000", got.Rate())
		}
	})
}

func TestConnectionsTakeTurns(t *testing.T) {
	// A response takes as long as three intervals between requests. Four connections are enough, and two can send only half of the rate.
	for connections, want := range map[int]struct{ p50, p999 int64 }{4: {3000, 3000}, 2: {15_000, 27_000}} {
		synctest.Test(t, func(t *testing.T) {
			dial := dialServer(func(int) (time.Duration, string) { return 3 * time.Millisecond, okResponse })
			g := Generator{Connections: connections, Duration: 50 * time.Millisecond, Rate: 1000, Status: 200, Dial: dial}
			got, err := g.Run(t.Context(), func(int) Traffic { return endless{} })
			if err != nil || got.Requests != 50 || got.P50 != want.p50 || got.P999 != want.p999 {
				t.Errorf("%d Connections: %+v, %v", connections, got, err)
			}
		})
	}
}

func TestWithoutRateConnectionsSendAfterEachResponse(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		dial := dialServer(func(int) (time.Duration, string) { return 20 * time.Millisecond, okResponse })
		g := Generator{Connections: 3, Duration: 90 * time.Millisecond, Status: 200, Dial: dial}
		got, err := g.Run(t.Context(), func(int) Traffic { return endless{} })
		// The last responses arrive after the duration.
		if err != nil || got.Requests != 15 || got.P50 != 20_000 || got.P999 != 20_000 || got.Rate() != 150 {
			t.Errorf("%+v, %v", got, err)
		}
	})
}

func TestUnexpectedResponsesAreErrors(t *testing.T) {
	const (
		limited   = "HTTP/1.1 429 Too Many Requests\r\nContent-Length: 0\r\n\r\n"
		truncated = "HTTP/1.1 200 OK\r\nContent-Length: 200\r\n\r\n["
	)
	for name, test := range map[string]struct {
		dial   func(string) (net.Conn, error)
		errors int64
		want   string
	}{
		"one status": {dialServer(func(n int) (time.Duration, string) {
			if n == 3 {
				return 0, limited
			}
			return 0, okResponse
		}), 24, `429 for "GET /`},
		"every status": {dialServer(func(int) (time.Duration, string) { return 0, limited }), 2 * maxErrors, "of 0 requests failed"},
		"no response":  {dialServer(func(int) (time.Duration, string) { return 2 * timeout, okResponse }), 2 * maxErrors, "timeout"},
		"truncated":    {dialServer(func(int) (time.Duration, string) { return 0, truncated }), 2 * maxErrors, "timeout"},
		"no server":    {func(string) (net.Conn, error) { return nil, errors.New("connection refused") }, 2 * maxErrors, "connection refused"},
	} {
		synctest.Test(t, func(t *testing.T) {
			documents := slices.Repeat([]Document{{Path: "/"}}, 100)
			got, err := Generator{Connections: 2, Status: 200, Dial: test.dial}.Run(t.Context(), func(connection int) Traffic {
				return &eachOnce{documents[connection:], NoHeader, 2}
			})
			time.Sleep(2 * timeout) // until the server has ended
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
		if got := Percentile(test.sorted, test.perMille); got != test.want {
			t.Errorf("percentile of %d values, %d ‰ = %d, want %d", len(test.sorted), test.perMille, got, test.want)
		}
	}
}

func TestEachOnceRequestsEveryDocumentOnce(t *testing.T) {
	const connections = 3
	documents := make([]Document, 7)
	want := map[string]int{}
	for i := range documents {
		documents[i] = Document{Path: "/" + string(rune('a'+i)), ETag: `"` + string(rune('a'+i)) + `"`}
		want["GET "+documents[i].Path+" HTTP/1.1\r\nHost: bench\r\nIf-None-Match: "+documents[i].ETag+"\r\n\r\n"] = 1
	}
	got := map[string]int{}
	for connection := range connections {
		source := &eachOnce{documents[connection:], IfNoneMatch, connections}
		for request := source.Next(); request != nil; request = source.Next() {
			got[string(request)]++
		}
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("requests (-want +got):\n%s", diff)
	}
}
