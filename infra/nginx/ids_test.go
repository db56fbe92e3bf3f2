package nginx

import (
	"net/http"
	"net/url"
	"strings"
	"testing"

	"systemscale/sql"
)

// TestTextIDs requests documents by the address that most clients write. The API must get the same path, and the refresh endpoint must find
// the copy at the address that etl writes.
func TestTextIDs(t *testing.T) {
	rig := start(t)
	plain := []string{"Accept-Encoding", "identity"}
	for _, id := range []string{
		"blue-shirt", "Blue-Shirt", "AC/DC", "100%", "%", "%25", "%2F", "a+b", "a b", "a;b", "what?", "?", "#1", "a&b=c", "$1", "$uri", "${x}", "ä",
		"a\u0308", "日本", "'", `"`, `\`, "\\x41", "<b>", "a..", "...", "\x01", "\n", "a\n", "\r\nX: y", "\x7f", "~", "a:b", "@", "*", "styles", "-",
		sql.JoinID("1901", "ABC"), sql.JoinID("1901", "a/b%"), strings.Repeat("x", sql.MaxIDLength), strings.Repeat("ü", sql.MaxIDLength/2),
	} {
		seen := func() string {
			t.Helper()
			requests := rig.seen()
			if len(requests) == 0 {
				t.Fatalf("%q: the API got no request", id)
			}
			target := strings.TrimPrefix(requests[len(requests)-1], "GET ")
			parsed, err := url.ParseRequestURI(target)
			if err != nil || parsed.RawQuery != "" {
				t.Errorf("%q: the API got %q (%v)", id, target, err)
				return ""
			}
			return parsed.Path
		}
		path := "/things/" + string(sql.TextID(id).AppendPath(nil))
		rig.get("/things/"+url.PathEscape(id), plain...)
		if got := seen(); got != "/things/"+id {
			t.Errorf("%q: the API got the path %q", id, got)
		}
		rig.fill("/things/"+url.PathEscape(id), plain...)
		for _, address := range []string{path, "/api/things/" + url.PathEscape(id) + "/"} {
			if got := rig.get(address, plain...); got.cache() != "HIT" {
				t.Errorf("%s: X-Cache %s; it has another copy than /things/%s", address, got.cache(), url.PathEscape(id))
			}
		}
		rig.wantCached(path, http.StatusOK, plain...)
		if got := rig.seen(); len(got) > 0 {
			t.Errorf("%q: the API got %q, want nothing", id, got)
		}
		if got := rig.refresh(http.MethodHead, "/refresh"+path, plain...); got.status != http.StatusOK {
			t.Errorf("refresh %s: %d", path, got.status)
		}
		if got := seen(); got != "/things/"+id {
			t.Errorf("refresh %s: the API got the path %q, want that of %q", path, got, id)
		}
	}
}
