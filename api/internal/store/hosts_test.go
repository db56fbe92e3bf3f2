package store

import (
	"errors"
	"fmt"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"systemscale/api/internal/publishtest"
	"systemscale/sql"
	"systemscale/sql/testdb"
)

func TestHostsOfURL(t *testing.T) {
	for _, mode := range []string{"disable", "prefer"} {
		config, err := pgx.ParseConfig("postgres://user@a:1,b:2,a:3,b:2/name?sslmode=" + mode)
		if err != nil {
			t.Fatal(err)
		}
		var got []string
		for _, h := range hostsOf(&config.Config) {
			own := only(&config.Config, h)
			line := fmt.Sprintf("%s:%d", own.Host, own.Port)
			for _, fallback := range own.Fallbacks {
				line += fmt.Sprintf(" %s:%d", fallback.Host, fallback.Port)
			}
			got = append(got, line)
		}
		want := "a:1|b:2 b:2|a:3"
		if mode == "prefer" { // with TLS and without
			want = "a:1 a:1|b:2 b:2 b:2 b:2|a:3 a:3"
		}
		if joined := strings.Join(got, "|"); joined != want {
			t.Errorf("sslmode=%s: got %s, want %s", mode, joined, want)
		}
	}
}

// twoHosts returns two proxies as two servers, and the URL of both.
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

func TestSpreadAndFailover(t *testing.T) {
	database := testdb.New(t)
	first, second, databaseURL := twoHosts(t, database)
	f := &fixture{t: t, database: database, publisher: publishtest.NewPublisher(t, database)}
	f.publish(1, 1)
	f.Store = open(t, Options{URL: databaseURL, Poll: 10 * time.Millisecond})
	publishtest.Eventually(t, "the store is ready with both hosts", func() bool {
		_, alive := f.queue.state()
		return f.Ready() == nil && alive == 2
	})
	if at := f.at(); at[first.address] != 1 || at[second.address] != 1 {
		t.Errorf("%v, want the workers spread", at)
	}
	for _, lost := range []*proxy{first, second} {
		lost.down()
		publishtest.Eventually(t, "both connections lead to the remaining host", func() bool {
			result, err := f.Get(f.document(""), sql.IntID(1), Match{}, nil)
			if err == nil {
				checkBody(t, "item", 1, result)
			} else if !errors.Is(err, ErrUnavailable) {
				t.Errorf("with one remaining host: %v", err)
			}
			_, alive := f.queue.state()
			return err == nil && alive == 2
		})
		lost.up()
	}
}
