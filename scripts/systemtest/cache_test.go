package systemtest

import (
	"net/http"
	"regexp"
	"strings"
	"testing"
)

// testDocumentCache changes the document cache of a running stack: to a private Redis, to the memory of each instance, and to none.
func testDocumentCache(t *testing.T, s *stack) {
	hits := regexp.MustCompile(`(?m)^systemscale_document_cache_reads_total\{[^}]*outcome="hit"[^}]*\} [1-9]`)
	// served reports whether all instances return the document, and whether a cache returned one to them.
	served := func() (good, cached bool) {
		good, cached = true, true
		for _, instance := range strings.Split(s.env["API_URLS"], ",") {
			got := s.do(http.MethodGet, instance+"/products/2/styles")
			good = good && got.status == http.StatusOK && strings.Contains(got.body, `"product_id"`)
		}
		for _, admin := range strings.Split(s.env["ADMIN_URLS"], ",") {
			cached = cached && hits.MatchString(s.do(http.MethodGet, admin+"/metrics").body)
		}
		return good, cached
	}
	for _, test := range []struct {
		cache         string
		cached, redis bool
	}{{"redis", true, true}, {"memory://8MiB", true, false}, {"redis", true, true}, {"none", false, false}} {
		s.up("--cache", test.cache)
		eventually(t, "the documents with --cache "+test.cache, func() bool {
			good, cached := served()
			return good && cached == test.cached
		})
		out, err := s.command("status").CombinedOutput()
		if shown := strings.Contains(string(out), "unix://"); err != nil || shown != test.redis {
			t.Errorf("with --cache %s: %v, and status shows a Redis: %v\n%s", test.cache, err, shown, out)
		}
		if redis := pids(t, s).Redis.Process; (redis.PID != 0) != test.redis || redis.PID != 0 && !exists(redis.PID) {
			t.Errorf("with --cache %s, the Redis of the stack has the pid %d", test.cache, redis.PID)
		}
		// It is remembered.
		before := processes(t, s)
		s.up()
		if after := processes(t, s); after != before {
			t.Errorf("up again with --cache %s: processes %s, before %s", test.cache, after, before)
		}
	}
}
