package admin

import (
	"encoding/json"
	"errors"
	"net/http"
	"net/http/httptest"
	"testing"
)

func TestAnswers(t *testing.T) {
	asked := 0
	var reason error
	handler := New(func() error {
		asked++
		return reason
	}).Handler
	for _, c := range []struct {
		name, method, path string
		reason             error
		status             int
		asks               int
		body               string
	}{
		{name: "live", method: "GET", path: "/live", status: 200, body: `{"live":true}`},
		{name: "live while not ready", method: "GET", path: "/live", reason: errors.New("no"), status: 200, body: `{"live":true}`},
		{name: "ready", method: "GET", path: "/ready", status: 200, asks: 1, body: `{"ready":true}`},
		{name: "not ready", method: "GET", path: "/ready", reason: errors.New(`no "version"`), status: 503, asks: 1, body: `{"ready":false,"reason":"no \"version\""}`},
		{name: "head", method: "HEAD", path: "/ready", status: 200, asks: 1},
		{name: "root", method: "GET", path: "/", status: 404},
		{name: "longer", method: "GET", path: "/live/x", status: 404},
		{name: "documents", method: "GET", path: "/products/1", status: 404},
		{name: "post", method: "POST", path: "/ready", status: 405},
	} {
		t.Run(c.name, func(t *testing.T) {
			asked, reason = 0, c.reason
			recorder := httptest.NewRecorder()
			handler.ServeHTTP(recorder, httptest.NewRequest(c.method, c.path, nil))
			if recorder.Code != c.status || asked != c.asks {
				t.Errorf("%d after asking %d times, want %d after %d", recorder.Code, asked, c.status, c.asks)
			}
			if c.body == "" {
				return
			}
			if header := recorder.Header(); header.Get("Content-Type") != "application/json" || header.Get("Cache-Control") != "no-store" {
				t.Errorf("headers %v", header)
			}
			var got, want any
			if err := json.Unmarshal(recorder.Body.Bytes(), &got); err != nil {
				t.Fatal(err)
			}
			_ = json.Unmarshal([]byte(c.body), &want)
			gotText, _ := json.Marshal(got)
			wantText, _ := json.Marshal(want)
			if string(gotText) != string(wantText) {
				t.Errorf("%s, want %s", gotText, wantText)
			}
		})
	}
}

func TestLimits(t *testing.T) {
	s := New(func() error { return nil })
	if s.ReadTimeout <= 0 || s.WriteTimeout <= 0 || s.MaxHeaderBytes <= 0 || s.MaxHeaderBytes >= http.DefaultMaxHeaderBytes {
		t.Errorf("a client may hold on for ever: %+v", s)
	}
}
