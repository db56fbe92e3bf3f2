package runbook

import (
	"net/http"
	"strings"
	"testing"

	"systemscale/sql/testdb"
)

// TestScaleInstances goes from two instances to four and back under load.
func TestScaleInstances(t *testing.T) {
	database := testdb.New(t)
	s := newSite(t)
	s.publish(database.ETL, 1)
	first := []*instance{s.instance(database.API), s.instance(database.API)}
	g := s.gateway(first...)
	l := newLoad(t, g, 1, 2)
	l.more(200)

	var all []*instance
	step(t, "from two instances to four", func() {
		all = append(first, s.instance(database.API), s.instance(database.API))
		g.reload(all...)
		for _, i := range all[2:] {
			eventually(t, "the new instance gets requests", func() bool { return i.served(t) })
		}
	})
	s.publish(database.ETL, 2)
	s.serves(2)
	l.more(500)
	step(t, "and back to two", func() {
		g.reload(first...)
		l.more(100)
		for _, i := range all[2:] {
			i.stop()
		}
	})
	l.more(500)
	l.stop()
}

// served reports whether the instance has answered a request with 200.
func (i *instance) served(t *testing.T) bool {
	got, err := fetch(t.Context(), http.DefaultClient, "http://"+i.admin+"/metrics")
	if err != nil {
		return false
	}
	for line := range strings.Lines(got.body) {
		if strings.HasPrefix(line, "systemscale_http_request_duration_seconds_count{") && strings.Contains(line, `status="200"`) {
			return true
		}
	}
	return false
}

// TestAddGateway adds a second gateway under load, publishes to both, and then removes the first one.
func TestAddGateway(t *testing.T) {
	database := testdb.New(t)
	s := newSite(t)
	s.cacheAge = "1h" // a copy that is not refreshed stays old
	s.publish(database.ETL, 1)
	a, b := s.instance(database.API), s.instance(database.API)
	first := s.gateway(a, b)
	s.publish(database.ETL, 2, "--gateway", "http://"+first.Refresh)
	s.serves(2)
	l := newLoad(t, first, 2, 3)
	l.more(200)

	second := s.gateway(a, b)
	both := []string{"--gateway", "http://" + first.Refresh, "--gateway", "http://" + second.Refresh}
	fill := func() {
		t.Helper()
		for range 3 { // NGINX keeps a document on its second request
			if got, err := fetch(t.Context(), http.DefaultClient, "http://"+second.Listen+"/things/7"); err != nil || got.status != http.StatusOK {
				t.Fatalf("%d, %v", got.status, err)
			}
		}
	}
	fill()
	s.publish(database.ETL, 3, both...)
	for _, g := range []*gateway{first, second} {
		eventually(t, "the gateway has the new version", func() bool {
			got, err := fetch(t.Context(), http.DefaultClient, "http://"+g.Listen+"/things/7")
			return err == nil && strings.Contains(got.body, `"edition": 3`)
		})
	}
	l.use(second)
	l.more(500)
	l.stop()
}
