package admin

import (
	"context"
	"errors"
	"io"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// TestHost uses a real server, because client and server of net/http determine the Host of a request.
func TestHost(t *testing.T) {
	o := options()
	o.Names = []string{"Operator.Example.org", "admin-port:8181", "[::]:8181", ":8181"}
	tcp, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	socket, err := net.Listen("unix", filepath.Join(t.TempDir(), "admin"))
	if err != nil {
		t.Fatal(err)
	}
	server := New(o)
	t.Cleanup(func() { _ = server.Close() })
	for _, listener := range []net.Listener{tcp, socket} {
		go func() {
			if err := server.Serve(listener); !errors.Is(err, http.ErrServerClosed) {
				t.Errorf("serve: %v", err)
			}
		}()
	}
	status := func(listener net.Listener, host, path string) int {
		t.Helper()
		client := &http.Client{Transport: &http.Transport{
			DisableKeepAlives: true,
			DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
				return new(net.Dialer).DialContext(ctx, listener.Addr().Network(), listener.Addr().String())
			},
		}}
		request, err := http.NewRequestWithContext(t.Context(), http.MethodGet, "http://ignored"+path, nil)
		if err != nil {
			t.Fatal(err)
		}
		request.Host = host
		response, err := client.Do(request)
		if err != nil {
			t.Fatalf("%s: %v", host, err)
		}
		defer func() { _ = response.Body.Close() }()
		body, err := io.ReadAll(response.Body)
		if err != nil {
			t.Fatal(err)
		}
		if response.StatusCode == http.StatusMisdirectedRequest && (!strings.Contains(string(body), "--admin-host") || strings.Contains(string(body), "evil")) {
			t.Errorf("%s: the refusal is %q", host, body)
		}
		return response.StatusCode
	}
	own, err := os.Hostname()
	if err != nil {
		t.Fatal(err)
	}
	for host, want := range map[string]int{
		"127.0.0.1:8181": 200, "127.0.0.1": 200, "10.1.2.3:80": 200, "[::1]:8181": 200, "[::1]": 200, "[fe80::1%25eth0]:8181": 200,
		"localhost": 200, "LOCALHOST.:8181": 200, "api.localhost:8181": 200, own: 200, own + ":8181": 200,
		"operator.example.org": 200, "OPERATOR.example.org:443": 200, "admin-port": 200,
		"evil.example": 421, "evil.example:8181": 421, "127.0.0.1.evil.example": 421, "localhost.evil.example": 421, "evillocalhost": 421,
		"operator.example.org.evil.example": 421, "example.org": 421, "sub.operator.example.org": 421,
	} {
		for _, path := range []string{"/", "/version", "/other"} {
			want := want
			if path == "/other" && want == 200 {
				want = 404
			}
			if got := status(tcp, host, path); got != want {
				t.Errorf("Host: %s: %s is %d, want %d", host, path, got, want)
			}
		}
		for _, path := range []string{"/live", "/ready", "/metrics"} {
			if got := status(tcp, host, path); got != 200 {
				t.Errorf("Host: %s: %s is %d, want 200 under any name", host, path, got)
			}
		}
		if got := status(socket, host, "/"); got != 200 {
			t.Errorf("Host: %s: over a unix socket / is %d, want 200", host, got)
		}
	}
}
