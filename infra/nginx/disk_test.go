package nginx

import (
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"systemscale/infra/process"
	"systemscale/infra/program"
)

// smallDisk mounts a file system on a new directory. Only root may mount; CI runs as root.
func smallDisk(t *testing.T, size Size) string {
	t.Helper()
	directory, err := os.MkdirTemp("", "gateway-disk-")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.RemoveAll(directory) })
	if err := syscall.Mount("tmpfs", directory, "tmpfs", 0, fmt.Sprintf("size=%d", size)); err != nil {
		t.Fatalf("mount a small file system: %v: this test has to run as root", err)
	}
	t.Cleanup(func() {
		if err := syscall.Unmount(directory, syscall.MNT_DETACH); err != nil {
			t.Error(err)
		}
	})
	if err := os.Chmod(directory, 0o755); err != nil {
		t.Fatal(err)
	}
	return directory
}

// requestAll requests each document three times in both encodings, and returns the number of hits. Every response must be a 200.
func (r *rig) requestAll(documents int) (hits int) {
	r.t.Helper()
	client := &http.Client{Transport: &http.Transport{DisableCompression: true}}
	defer client.CloseIdleConnections()
	for i := range documents {
		for range 3 {
			for _, encoding := range []string{"identity", "gzip"} {
				request, err := http.NewRequest(http.MethodGet, fmt.Sprintf("%s/products/%d", r.url, i), nil)
				if err != nil {
					r.t.Fatal(err)
				}
				request.Header.Set("Accept-Encoding", encoding)
				got, err := read(client.Do(request))
				if err != nil || got.status != http.StatusOK {
					r.t.Fatalf("product %d, %s: %d, %v: want 200 although it cannot be cached", i, encoding, got.status, err)
				}
				if got.cache() == "HIT" {
					hits++
				}
			}
		}
	}
	return hits
}

// logged returns the log of NGINX since the last call, without failing the test for it.
func (r *rig) logged() string {
	r.t.Helper()
	text, err := os.ReadFile(r.gateway.Log)
	if err == nil {
		err = os.Truncate(r.gateway.Log, 0)
	}
	if err != nil {
		r.t.Fatal(err)
	}
	return string(text)
}

func TestFullDisk(t *testing.T) {
	var disk string
	rig := start(t, func(gateway *Gateway) {
		disk = smallDisk(t, 16*megabyte)
		gateway.Cache = filepath.Join(disk, "cache")
	})
	if hits := rig.requestAll(5); hits < 10 {
		t.Fatalf("%d hits while there was room: nothing would be proven", hits)
	}
	// Something else fills the disk.
	filler, err := os.Create(filepath.Join(disk, "filler"))
	if err != nil {
		t.Fatal(err)
	}
	for err == nil {
		_, err = filler.Write(make([]byte, 64<<10))
	}
	_ = filler.Close()
	rig.requestAll(200)
	// Operators look for this message.
	if log := rig.logged(); !strings.Contains(log, "No space left on device") {
		t.Errorf("NGINX has written to a full disk:\n%.500s", log)
	}
	if err := os.Remove(filler.Name()); err != nil {
		t.Fatal(err)
	}
	rig.fill("/products/1000")
}

// TestCacheDirectoryBecomesUnwritable makes the directory read-only while NGINX runs.
func TestCacheDirectoryBecomesUnwritable(t *testing.T) {
	rig := start(t)
	rig.fill("/products/0")
	if err := os.Chmod(rig.gateway.cache(), 0o500); err != nil {
		t.Fatal(err)
	}
	rig.requestAll(50)
	if log := rig.logged(); !strings.Contains(log, "[crit]") {
		t.Errorf("NGINX could write:\n%.500s", log)
	}
}

func TestCacheWithoutRoomIsRefused(t *testing.T) {
	account, err := process.Unprivileged(Accounts...)
	if err != nil {
		t.Fatal(err)
	}
	disk := smallDisk(t, 200*megabyte)
	cache := filepath.Join(disk, "not", "yet", "there")
	f := func(wanted, want Size) {
		t.Helper()
		if got, err := FitCache(cache, wanted); got != want || err != nil {
			t.Errorf("FitCache(%s) = %s, %v, want %s", wanted, got, err, want)
		}
	}
	f(100*megabyte, 100*megabyte)
	f(2<<30, 128*megabyte)
	if err := os.MkdirAll(cache, 0o755); err != nil {
		t.Fatal(err)
	}
	// The cache's own files count as room; other files do not.
	for path, size := range map[string]int{filepath.Join(cache, "entry"): 100 * megabyte, filepath.Join(disk, "other"): 20 * megabyte} {
		if err := os.WriteFile(path, make([]byte, size), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	f(2<<30, 128*megabyte)
	f(100*megabyte, 100*megabyte)
	if err := os.WriteFile(filepath.Join(disk, "more"), make([]byte, 60*megabyte), 0o600); err != nil {
		t.Fatal(err)
	}
	f(2<<30, 64*megabyte)
	if err := os.Rename(filepath.Join(cache, "entry"), filepath.Join(disk, "entry")); err != nil {
		t.Fatal(err)
	}
	if size, err := FitCache(cache, 2<<30); err == nil || !strings.Contains(err.Error(), cache) || !strings.Contains(err.Error(), "free some space") {
		t.Errorf("FitCache() of a full disk = %s, %v", size, err)
	}
	running := Gateway{Prefix: disk, Cache: cache, CacheSize: 64 * megabyte, Account: account}
	if err := running.checkCache(t.Context()); err == nil || !strings.Contains(err.Error(), "free some space") {
		t.Errorf("a cache that does not fit: %v", err)
	}
}

func TestStartRefusesUnwritableDirectories(t *testing.T) {
	rig := start(t)
	if err := Stop(t.Context(), rig.running.Identity); err != nil {
		t.Fatal(err)
	}
	restart := func(want string) {
		t.Helper()
		running, err := rig.gateway.Start(t.Context())
		if err == nil {
			rig.running = running
		}
		if (err == nil) != (want == "") || err != nil && !strings.Contains(err.Error(), want) {
			t.Errorf("Start() = %v, want %q", err, want)
		}
	}
	cache := rig.gateway.cache()
	for _, directory := range []string{cache, rig.gateway.temp()} {
		if err := os.Chmod(directory, 0o500); err != nil {
			t.Fatal(err)
		}
		restart("cannot write to " + directory)
		if err := os.Chmod(directory, 0o700); err != nil {
			t.Fatal(err)
		}
	}
	if os.Geteuid() == 0 { // root alone can give a directory to another account
		foreign := filepath.Join(cache, "0", "00")
		if err := os.MkdirAll(foreign, 0o700); err != nil {
			t.Fatal(err)
		}
		restart("belongs to another user: empty " + cache)
		if err := os.RemoveAll(filepath.Dir(foreign)); err != nil {
			t.Fatal(err)
		}
	}
	rig.gateway.CacheSize = 1 << 60
	restart("free some space there")
	rig.gateway.CacheSize = 10 * megabyte
	restart("")
}

func TestSizeFormat(t *testing.T) {
	for size, want := range map[Size]string{2 << 30: "2g", 1536 * megabyte: "1536m", 64 << 10: "64k", 1000: "1000", 0: "0", (2 << 30) / 5: "429496729"} {
		if got := size.String(); got != want {
			t.Errorf("%d: %s, want %s", int64(size), got, want)
		}
	}
	for _, test := range []struct {
		version program.Version
		want    string
	}{{program.Version{Major: 1, Minor: 18}, ""}, {program.Version{Major: 1, Minor: 19, Patch: 1}, "min_free=2m"}} {
		if got := (Gateway{NGINX: program.NGINX{Version: test.version}, CacheSize: 10 * megabyte}).minFree(); got != test.want {
			t.Errorf("NGINX %s: %q, want %q", test.version, got, test.want)
		}
	}
}
