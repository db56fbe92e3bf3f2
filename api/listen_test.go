package main

import (
	"net"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
)

// shortDir returns a directory with a short name: the path of a socket is limited to about a hundred bytes.
func shortDir(t testing.TB) string {
	t.Helper()
	dir, err := os.MkdirTemp("", "api")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.RemoveAll(dir) })
	return dir
}

func mustListen(t testing.TB, where string) net.Listener {
	t.Helper()
	listener, err := listen(where)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = listener.Close() })
	if listener.Addr().Network() == "unix" && address(listener) != where {
		t.Errorf("the address is %s, want %s", address(listener), where)
	}
	return listener
}

func exists(path string) bool {
	_, err := os.Lstat(path)
	return err == nil
}

func TestListenOnUnixSocket(t *testing.T) {
	path := filepath.Join(shortDir(t), "s")
	where := "unix:" + path
	listener := mustListen(t, where)
	info, err := os.Stat(path)
	if err != nil || info.Mode().Perm() != 0o666 {
		t.Errorf("mode %v, %v; want 0666", info.Mode(), err)
	}

	if _, err := listen(where); err == nil || !strings.Contains(err.Error(), "another process is listening") {
		t.Errorf("on a socket in use: %v", err)
	}
	if conn, err := net.Dial("unix", path); err != nil {
		t.Errorf("the socket in use suffers: %v", err)
	} else {
		_ = conn.Close()
	}

	// The socket of a killed process remains.
	listener.(*net.UnixListener).SetUnlinkOnClose(false)
	_ = listener.Close()
	if !exists(path) {
		t.Fatal("there is no stale socket")
	}
	_ = mustListen(t, where).Close()
	if exists(path) {
		t.Error("the socket remains after closing")
	}
}

func TestListenKeepsOtherFiles(t *testing.T) {
	path := filepath.Join(shortDir(t), "precious")
	if err := os.WriteFile(path, []byte("data"), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := listen("unix:" + path); err == nil || !strings.Contains(err.Error(), "not a socket") {
		t.Errorf("got %v", err)
	}
	if text, _ := os.ReadFile(path); string(text) != "data" {
		t.Errorf("the file holds %q", text)
	}
}

func TestRetire(t *testing.T) {
	path := filepath.Join(shortDir(t), "s")
	listener := mustListen(t, "unix:"+path)
	early, err := net.Dial("unix", path)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = early.Close() }()
	retire([]net.Listener{listener, mustListen(t, "127.0.0.1:0")})
	if exists(path) {
		t.Error("the socket is still there")
	}
	conn, err := listener.Accept()
	if err != nil {
		t.Fatalf("the connection from before is lost: %v", err)
	}
	_ = conn.Close()

	mustListen(t, "unix:"+path)
	_ = listener.Close()
	if !exists(path) {
		t.Error("closing the old socket removes the new one")
	}
}

func TestListenErrors(t *testing.T) {
	taken := mustListen(t, "127.0.0.1:0").Addr().String()
	for _, c := range []struct{ name, address, want string }{
		{"taken port", taken, "the port is in use"},
		{"no address", "nonsense", "a listen address is host:port or unix:/path"},
		{"no port", "127.0.0.1", "a listen address is host:port or unix:/path"},
		{"no directory", "unix:/nowhere/at/all", "no such file"},
		{"long path", "unix:/tmp/" + strings.Repeat("x", 200), "invalid argument"},
	} {
		t.Run(c.name, func(t *testing.T) {
			_, err := listen(c.address)
			if err == nil || !strings.Contains(err.Error(), c.want) || !strings.Contains(err.Error(), c.address) {
				t.Errorf("listen(%q) fails with %v, want %q", c.address, err, c.want)
			}
		})
	}
}

// TestListenHidesURLs listens on addresses that may contain a password.
func TestListenHidesURLs(t *testing.T) {
	for _, address := range []string{"postgres://u:secret@host/db", "postgres://u:secret", "u:secret@host:1"} {
		if _, err := listen(address); err == nil || strings.Contains(err.Error(), "secret") {
			t.Errorf("listen(%q) fails with %v", address, err)
		}
	}
}

func TestListenAllOrNone(t *testing.T) {
	path := filepath.Join(shortDir(t), "s")
	if _, err := listenAll([]string{"unix:" + path, "nonsense"}); err == nil {
		t.Error("nonsense is accepted")
	}
	if conn, err := net.Dial("unix", path); err == nil {
		_ = conn.Close()
		t.Error("the first address is still served")
	}
	if err := syscall.Access(path, 0); err == nil {
		t.Error("the first socket remains")
	}
}
