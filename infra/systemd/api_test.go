package systemd_test

import (
	"context"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"syscall"
	"testing"
	"time"
)

// setting returns the value of a setting that must occur once in the unit.
func setting(t *testing.T, unit, name string) string {
	t.Helper()
	found := regexp.MustCompile(`(?m)^`+name+`=(.*)$`).FindAllStringSubmatch(unit, -1)
	if len(found) != 1 {
		t.Fatalf("%s is set %d times", name, len(found))
	}
	return found[0][1]
}

// flag returns the duration in a flag of a command.
func flag(t *testing.T, command, name string) time.Duration {
	t.Helper()
	_, rest, found := strings.Cut(command, name+" ")
	value, _, _ := strings.Cut(rest, " ")
	duration, err := time.ParseDuration(value)
	if !found || err != nil {
		t.Fatalf("%s in %q: %v", name, command, err)
	}
	return duration
}

// TestAPIUnit runs the unit's command with sockets instead of ports, and stops it as systemd does.
func TestAPIUnit(t *testing.T) {
	unit := read(t, "systemscale-api@.service")
	command := execStart(t, unit, "8081")
	directory, err := os.MkdirTemp("", "unit-") // t.TempDir() is too long for the name of a socket
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.RemoveAll(directory) })
	runtime := "/run/" + setting(t, strings.ReplaceAll(unit, "%i", "8081"), "RuntimeDirectory") + "/"
	if strings.Count(command, runtime) != 1 {
		t.Errorf("%q does not listen in %s", command, runtime)
	}
	replaced := strings.NewReplacer("127.0.0.1:8081", "unix:"+directory+"/public", "127.0.0.1:18081", "unix:"+directory+"/admin",
		"/run/systemscale-api-8081/", directory+"/").Replace(command)
	words := strings.Fields(replaced)
	if words[0] != "/usr/local/bin/api" {
		t.Errorf("the unit starts %q", words[0])
	}
	database := strings.Replace(asSystemd(t, read(t, "api.env"))["DATABASE_URL"], "localhost:5432", "127.0.0.1:1", 1)
	api := exec.CommandContext(t.Context(), build(t, "api"), words[1:]...)
	api.Env = []string{"DATABASE_URL=" + database}
	api.Stderr = t.Output()
	if err := api.Start(); err != nil {
		t.Fatal(err)
	}
	ended := make(chan error, 1)
	go func() { ended <- api.Wait() }()
	for _, address := range []struct {
		socket, path string
		status       int
	}{
		{"admin", "/live", http.StatusOK},
		{"public", "/things/1", http.StatusServiceUnavailable},
		{"api.sock", "/things/1", http.StatusServiceUnavailable},
	} {
		await(t, ended, filepath.Join(directory, address.socket), address.path, address.status)
	}
	if err := api.Process.Signal(syscall.SIGTERM); err != nil {
		t.Fatal(err)
	}
	limit, err := time.ParseDuration(setting(t, unit, "TimeoutStopSec"))
	if err != nil {
		t.Fatal(err)
	}
	select {
	case err := <-ended:
		if err != nil {
			t.Errorf("the instance ends with %v after SIGTERM", err)
		}
	case <-time.After(limit):
		t.Errorf("systemd would kill the instance after %s", limit)
	}
	if drain := flag(t, command, "--drain-pause") + 2*flag(t, command, "--drain-limit"); limit <= drain {
		t.Errorf("TimeoutStopSec is %s, and draining may take %s", limit, drain)
	}
}

// await polls a path through a unix socket until the status is the one given.
func await(t *testing.T, ended <-chan error, socket, path string, status int) {
	t.Helper()
	dial := func(ctx context.Context, _, _ string) (net.Conn, error) {
		return new(net.Dialer).DialContext(ctx, "unix", socket)
	}
	client := &http.Client{Timeout: 10 * time.Second, Transport: &http.Transport{DialContext: dial}}
	got, err := 0, error(nil)
	for deadline := time.Now().Add(time.Minute); time.Now().Before(deadline); time.Sleep(20 * time.Millisecond) {
		select {
		case err := <-ended:
			t.Fatalf("the instance has ended: %v", err)
		default:
		}
		var response *http.Response
		if response, err = client.Get("http://api" + path); err != nil {
			continue
		}
		_ = response.Body.Close()
		if got = response.StatusCode; got == status {
			return
		}
	}
	t.Errorf("%s%s: %d, %v, want %d", socket, path, got, err, status)
}
