package store

import (
	"errors"
	"fmt"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"systemscale/api/internal/catalogtest"
	"systemscale/sql/testdb"
)

func TestConnectionsBeginWithDifferentHosts(t *testing.T) {
	for _, mode := range []string{"disable", "prefer"} {
		config, err := pgx.ParseConfig("postgres://user@a:1,b:2,a:3/name?sslmode=" + mode)
		if err != nil {
			t.Fatal(err)
		}
		var got []string
		for _, first := range hostsOf(&config.Config) {
			rotated := startingWith(&config.Config, first)
			line := fmt.Sprintf("%s:%d", rotated.Host, rotated.Port)
			for _, fallback := range rotated.Fallbacks {
				line += fmt.Sprintf(" %s:%d", fallback.Host, fallback.Port)
			}
			got = append(got, line)
		}
		want := "a:1 b:2 a:3|b:2 a:3 a:1|a:3 a:1 b:2"
		if mode == "prefer" { // with TLS and without
			want = "a:1 a:1 b:2 b:2 a:3 a:3|b:2 b:2 a:3 a:3 a:1 a:1|a:3 a:3 a:1 a:1 b:2 b:2"
		}
		if joined := strings.Join(got, "|"); joined != want {
			t.Errorf("sslmode=%s: got %s, want %s", mode, joined, want)
		}
	}
}

// twoHosts returns proxies that stand for two servers, and the URL of both.
func twoHosts(t *testing.T, database testdb.Database) (first, second *proxy, databaseURL string) {
	t.Helper()
	first, databaseURL = newProxy(t, database.API)
	second, _ = newProxy(t, database.API)
	parsed, err := url.Parse(databaseURL)
	if err != nil {
		t.Fatal(err)
	}
	parsed.Host = first.address + "," + second.address
	return first, second, parsed.String()
}

func TestHostsAreSpreadAndFailedOver(t *testing.T) {
	database := testdb.New(t)
	first, second, databaseURL := twoHosts(t, database)
	f := &fixture{t: t, database: database, publisher: catalogtest.NewPublisher(t, database)}
	f.publish(1, 1)
	f.Store = open(t, Options{URL: databaseURL, Poll: 10 * time.Millisecond})
	catalogtest.Eventually(t, "the store is ready with both hosts", func() bool {
		_, alive := f.queue.state()
		return f.Ready() == nil && alive == 2
	})
	if first.connections() < 2 || second.connections() != 1 { // follower and listener are the first's
		t.Errorf("%d and %d connections, want the pipelines spread", first.connections(), second.connections())
	}
	for _, lost := range []*proxy{first, second} {
		lost.down()
		catalogtest.Eventually(t, "both connections are with the host that is left", func() bool {
			result, err := f.Get(f.document(""), 1, Match{}, nil)
			if err == nil {
				checkBody(t, "item", 1, result)
			} else if !errors.Is(err, ErrUnavailable) {
				t.Errorf("with one host left: %v", err)
			}
			_, alive := f.queue.state()
			return err == nil && alive == 2
		})
		lost.up()
	}
}

func TestAHostThatIsBehind(t *testing.T) {
	database := testdb.New(t)
	_, _, databaseURL := twoHosts(t, database)
	f := &fixture{t: t, database: database, publisher: catalogtest.NewPublisher(t, database)}
	f.publish(1, 1)
	f.Store = open(t, Options{URL: databaseURL, Poll: time.Hour})
	catalogtest.Eventually(t, "the store is ready", func() bool { return f.Ready() == nil })

	// As if another host had told of a version that these have not got.
	version := f.Snapshot().Collection([]byte(collection)).Version
	version.Run++
	f.follower.snapshot.Store(NewSnapshot(f.Snapshot(), version))
	if _, err := f.Get(f.document(""), 1, Match{}, nil); !errors.Is(err, ErrUnavailable) {
		t.Errorf("all hosts are behind: %v, want %v", err, ErrUnavailable)
	}
	if run := f.change(f.document("")); run != version.Run {
		t.Fatalf("the run has number %d, want %d", run, version.Run)
	}
	result, err := f.Get(f.document(""), 1, Match{}, nil)
	if err != nil || result.Run != version.Run {
		t.Errorf("the hosts have caught up: run %d, %v", result.Run, err)
	}
}
