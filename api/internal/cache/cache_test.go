package cache

import (
	"bytes"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"fmt"
	"log/slog"
	"math/big"
	"net"
	"os"
	"path/filepath"
	"runtime"
	"runtime/debug"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus/testutil"

	"systemscale/infra/port/porttest"
	"systemscale/infra/redis/redistest"
)

const patience = time.Minute

// eventually waits until condition returns true.
func eventually(t testing.TB, what string, condition func() bool) {
	t.Helper()
	for deadline := time.Now().Add(patience); !condition(); time.Sleep(time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("timeout after %s: %s", patience, what)
		}
	}
}

// open opens a cache and waits until it is connected.
func open(t testing.TB, options Options) *Cache {
	t.Helper()
	if options.Logger == nil {
		options.Logger = slog.New(slog.DiscardHandler)
	}
	if options.Timeout == 0 {
		options.Timeout = 5 * time.Second // on a busy machine
	}
	c, err := Open(options)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(c.Close)
	eventually(t, "the cache is connected", c.backend.up)
	return c
}

func (c *Cache) counted(outcome Outcome) int {
	return int(testutil.ToFloat64(c.metrics.outcomes[outcome]))
}

func (c *Cache) stored(ending ending) int { return int(testutil.ToFloat64(c.metrics.endings[ending])) }

// put puts an entry and waits until it is stored.
func put(t testing.TB, c *Cache, key string, entry Entry) {
	t.Helper()
	before := c.stored(done)
	c.Put([]byte(key), entry)
	eventually(t, "the document is stored", func() bool { return c.stored(done) > before })
}

func example(run int64, body string) Entry {
	return Entry{Stamp: Stamp{Run: run, PublishedAt: 1_700_000_000_123_456}, ETag: 1<<63 | uint64(run), Body: []byte(body)}
}

func same(a, b Entry) bool {
	return a.Stamp == b.Stamp && a.ETag == b.ETag && bytes.Equal(a.Body, b.Body)
}

func TestGetReturnsWhatWasPut(t *testing.T) {
	server := redistest.New(t)
	for name, url := range map[string]string{"redis": server.URL(), "memory": "memory://8MiB"} {
		t.Run(name, func(t *testing.T) {
			c := open(t, Options{URL: url})
			if _, found := c.Get([]byte("a")); found || c.counted(miss) != 1 {
				t.Errorf("an empty cache has a document, or counts %d misses", c.counted(miss))
			}
			for _, body := range []string{`{"id": 1}`, "", strings.Repeat("x", maxValue)} {
				want := example(7, body)
				put(t, c, "a", want)
				if got, found := c.Get([]byte("a")); !found || !same(got, want) {
					t.Errorf("%d bytes: got %v, %.80v", len(body), found, got)
				}
			}
			c.Put([]byte("b"), example(7, strings.Repeat("x", maxValue+1)))
			if c.stored(tooLarge) != 1 {
				t.Error("a document that is too large is not counted")
			}
			if status := c.Status(); status.Kind != name || !status.Up {
				t.Errorf("status %+v", status)
			}
		})
	}
}

// TestForeignValuesAreAbsent puts values that are not those of their keys into the server.
func TestForeignValuesAreAbsent(t *testing.T) {
	server := redistest.New(t)
	c := open(t, Options{URL: server.URL()})
	put(t, c, "a", example(7, `{"id": 1}`))
	value := encode(nil, []byte("a"), example(7, `{"id": 1}`))
	changed := func(at int) string {
		other := bytes.Clone(value)
		other[at] ^= 1
		return string(other)
	}
	cases := map[string]string{
		"empty": "", "garbage": "garbage", "long garbage": strings.Repeat("garbage ", 100),
		"cut": string(value[:len(value)-1]), "header": string(value[:headerSize]), "longer": string(value) + " ",
		"of another key": string(encode(nil, []byte("b"), example(7, `{"id": 1}`))),
	}
	for at := range value {
		cases[fmt.Sprintf("bit in byte %d", at)] = changed(at)
	}
	for name, text := range cases {
		before := c.counted(corrupt)
		server.Do("SET", "a", text)
		if got, found := c.Get([]byte("a")); found {
			t.Errorf("%s: got %.80v", name, got)
		}
		if c.counted(corrupt) != before+1 {
			t.Errorf("%s: not counted", name)
		}
	}
	server.Do("DEL", "a")
	server.Do("RPUSH", "a", "1", "2")
	before := c.counted(corrupt)
	if got, found := c.Get([]byte("a")); found || c.counted(corrupt) != before+1 {
		t.Errorf("a list: got %.80v, or it is not counted", got)
	}
	if !c.backend.up() {
		t.Error("a foreign value makes the cache stop using the server")
	}
	put(t, c, "a", example(8, `{"id": 2}`))
	if _, found := c.Get([]byte("a")); !found {
		t.Error("a foreign value cannot be replaced")
	}
}

// TestUnresponsiveServerIsLeftOut pauses, kills and restarts a server while documents are read.
func TestUnresponsiveServerIsLeftOut(t *testing.T) {
	server := redistest.New(t)
	c := open(t, Options{URL: server.URL(), Timeout: 20 * time.Millisecond})
	put(t, c, "a", example(7, "x"))
	readUntil := func(what string, condition func() bool) {
		t.Helper()
		var wait sync.WaitGroup
		for range 8 {
			wait.Go(func() {
				eventually(t, what, func() bool {
					if got, found := c.Get([]byte("a")); found && !same(got, example(7, "x")) {
						t.Errorf("got %.80v", got)
					}
					c.Put([]byte("a"), example(7, "x"))
					return condition()
				})
			})
		}
		wait.Wait()
	}
	readable := func() bool { _, found := c.Get([]byte("a")); return found }
	down := func() bool { return !c.backend.up() }

	server.Pause()
	readUntil("the paused server is left out", down)
	before := c.counted(Down)
	if readable() || c.counted(Down) != before+1 {
		t.Error("a server that is left out is read")
	}
	if c.counted(timeout) == 0 {
		t.Error("no timeout was counted")
	}
	server.Resume()
	readUntil("the server is used again", readable)

	server.Kill()
	readUntil("the killed server is left out", down)
	server.Start()
	readUntil("the restarted server is used", readable)

	server.Do("FLUSHALL")
	readUntil("the emptied server has the document again", readable)
}

// TestReadsEndInTime reads from a paused server, more often than the client's queue has slots. No read may wait longer than its deadline,
// for which the machine gets a generous allowance: a read that waits for the server would never end.
func TestReadsEndInTime(t *testing.T) {
	server := redistest.New(t)
	c := open(t, Options{URL: server.URL(), Timeout: time.Millisecond})
	put(t, c, "a", example(7, "x"))
	server.Pause()
	finished := make(chan struct{})
	go func() {
		var wait sync.WaitGroup
		for range 4 << ringBits {
			wait.Go(func() { c.Get([]byte("a")) })
		}
		wait.Wait()
		close(finished)
	}()
	select {
	case <-finished:
	case <-time.After(patience):
		t.Fatal("a read waits for a server that does not respond")
	}
	server.Resume()
}

// TestFullServer fills a server that removes nothing. Its documents stay readable, and others are refused.
func TestFullServer(t *testing.T) {
	server := redistest.New(t, "--maxmemory", "4mb", "--maxmemory-policy", "noeviction")
	log := &lockedBuffer{}
	c := open(t, Options{URL: server.URL(), Logger: slog.New(slog.NewTextHandler(log, nil))})
	put(t, c, "first", example(7, "x"))
	body := strings.Repeat("x", 100_000)
	for i := 0; c.stored(refused) == 0; i++ {
		before := c.stored(done) + c.stored(refused)
		c.Put(fmt.Appendf(nil, "%d", i), example(7, body))
		eventually(t, "it is stored or refused", func() bool { return c.stored(done)+c.stored(refused) > before })
		if i > 1000 {
			t.Fatal("the server never fills up")
		}
	}
	if got, found := c.Get([]byte("first")); !found || !same(got, example(7, "x")) {
		t.Errorf("a document in a full server: %v, %.80v", found, got)
	}
	if !c.backend.up() {
		t.Error("a full server is not read")
	}
	if !strings.Contains(log.String(), "does not store") {
		t.Errorf("the log has no entry:\n%s", log)
	}
}

// TestOpenWithoutServer opens a cache before its server exists.
func TestOpenWithoutServer(t *testing.T) {
	server := redistest.New(t)
	server.Kill()
	c, err := Open(Options{URL: server.URL(), Logger: slog.New(slog.DiscardHandler), Timeout: patience})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(c.Close)
	if _, found := c.Get([]byte("a")); found || c.counted(Down) != 1 {
		t.Error("a cache without a server is read")
	}
	c.Put([]byte("a"), example(7, "x"))
	server.Start()
	eventually(t, "the cache is connected", c.backend.up)
	put(t, c, "a", example(7, "x"))
}

func TestTTL(t *testing.T) {
	server := redistest.New(t)
	c := open(t, Options{URL: server.URL(), TTL: time.Hour})
	put(t, c, "a", example(7, "x"))
	if left, err := server.Do("PTTL", "a").AsInt64(); err != nil || left <= 0 || left > time.Hour.Milliseconds() {
		t.Errorf("PTTL is %d, %v", left, err)
	}
	m := open(t, Options{URL: "memory://8MiB", TTL: time.Millisecond})
	put(t, m, "a", example(7, "x"))
	eventually(t, "the document in memory has expired", func() bool { _, found := m.Get([]byte("a")); return !found })
}

// TestEncryptionAndPassword uses a server that accepts TLS only, from a user with a password and few rights.
func TestEncryptionAndPassword(t *testing.T) {
	authority, certificate, key := makeCertificate(t)
	address := porttest.Address(t)
	_, port, _ := net.SplitHostPort(address)
	redistest.New(t, "--tls-port", port, "--bind", "127.0.0.1", "--tls-cert-file", certificate, "--tls-key-file", key,
		"--tls-ca-cert-file", authority, "--tls-auth-clients", "no",
		"--user", "api", "on", ">s3cret-word", "~systemscale:*", "+get", "+set", "+ping", "+hello", "+client", "--user", "default", "off")
	c := open(t, Options{URL: "rediss://api:s3cret-word@" + address + "?ca=" + authority})
	put(t, c, "systemscale:a", example(7, "x"))
	if got, found := c.Get([]byte("systemscale:a")); !found || !same(got, example(7, "x")) {
		t.Errorf("got %v, %.80v", found, got)
	}
	if status := fmt.Sprint(*c.Status()); strings.Contains(status, "s3cret") {
		t.Errorf("the status contains the password: %s", status)
	}

	for name, url := range map[string]string{
		"wrong password":        "rediss://api:another-s3cret@" + address + "?ca=" + authority,
		"unknown authority":     "rediss://api:s3cret-word@" + address,
		"without TLS":           "redis://api:s3cret-word@" + address,
		"default user is off":   "rediss://" + address + "?ca=" + authority,
		"certificate of a name": "rediss://api:s3cret-word@localhost:" + port + "?ca=" + authority,
	} {
		t.Run(name, func(t *testing.T) {
			log := &lockedBuffer{}
			c, err := Open(Options{URL: url, Logger: slog.New(slog.NewTextHandler(log, nil))})
			if err != nil {
				t.Fatal(err)
			}
			defer c.Close()
			eventually(t, "the failure is logged", func() bool { return strings.Contains(log.String(), "cannot connect") })
			if c.backend.up() || strings.Contains(log.String(), "s3cret") {
				t.Errorf("up is %v; the log:\n%s", c.backend.up(), log)
			}
		})
	}
}

// makeCertificate writes a certificate for 127.0.0.1 that signs itself, and its key.
func makeCertificate(t *testing.T) (authority, certificate, key string) {
	t.Helper()
	private, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "redis"}, IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)},
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour), IsCA: true, BasicConstraintsValid: true,
		KeyUsage: x509.KeyUsageDigitalSignature | x509.KeyUsageCertSign, ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth},
	}
	signed, err := x509.CreateCertificate(rand.Reader, template, template, private.Public(), private)
	if err != nil {
		t.Fatal(err)
	}
	encoded, err := x509.MarshalPKCS8PrivateKey(private)
	if err != nil {
		t.Fatal(err)
	}
	directory := t.TempDir()
	write := func(name, kind string, bytes []byte) string {
		path := filepath.Join(directory, name)
		if err := os.WriteFile(path, pem.EncodeToMemory(&pem.Block{Type: kind, Bytes: bytes}), 0o600); err != nil {
			t.Fatal(err)
		}
		return path
	}
	certificate = write("certificate.pem", "CERTIFICATE", signed)
	return certificate, certificate, write("key.pem", "PRIVATE KEY", encoded)
}

// lockedBuffer is a buffer for several goroutines.
type lockedBuffer struct {
	mutex  sync.Mutex
	buffer bytes.Buffer
}

func (b *lockedBuffer) Write(text []byte) (int, error) {
	b.mutex.Lock()
	defer b.mutex.Unlock()
	return b.buffer.Write(text)
}

func (b *lockedBuffer) String() string {
	b.mutex.Lock()
	defer b.mutex.Unlock()
	return b.buffer.String()
}

func TestURLs(t *testing.T) {
	file := filepath.Join(t.TempDir(), "none.pem")
	if err := os.WriteFile(file, []byte("none"), 0o600); err != nil {
		t.Fatal(err)
	}
	for url, want := range map[string]string{
		"redis://user:s3cret@cache.example.org:7000/2": "redis cache.example.org:7000", "valkey://cache.example.org": "redis cache.example.org:6379",
		"unix:///run/redis.sock?db=1": "redis /run/redis.sock", "memory://256MiB": "memory 256 MiB", "memory://1GB": "memory 954 MiB",
	} {
		c, err := Open(Options{URL: url, Logger: slog.New(slog.DiscardHandler)})
		if err != nil {
			t.Errorf("%s: %v", url, err)
			continue
		}
		if status := c.Status(); status.Kind+" "+status.Address != want {
			t.Errorf("%s: %+v, want %s", url, status, want)
		}
		c.Close()
	}
	for _, url := range []string{
		"", "s3cret", "redis://user:s3cret@host:port", "redis://user:s3cret@host/s3cret", "http://s3cret", "redis://:s3cret@[::1", "redis://h/1/s3cret",
		"redis://user:s3cret@host#x", "redis://host?ca=s3cret", "rediss://user:s3cret@host?ca=/none", "rediss://user:s3cret@host?ca=" + file,
		"redis://user:s3cret@host?skip_verify=1", "unix://s3cret/run/redis.sock", "memory://", "memory://s3cret", "memory://1MiB", "memory://8MiB/s3cret",
		"memory://-8MiB", "memory://s3cret@8MiB",
	} {
		c, err := Open(Options{URL: url})
		if err == nil {
			c.Close()
			t.Errorf("%s is accepted", url)
		} else if strings.Contains(err.Error(), "s3cret") {
			t.Errorf("%s: the error contains the password: %v", url, err)
		}
	}
}

// TestMemoryIsBounded puts ten times as many documents into the cache as it has room for, and compares its size with that of the heap.
func TestMemoryIsBounded(t *testing.T) {
	const size = 16 << 20
	heap := func() int64 {
		debug.FreeOSMemory() // collects garbage
		var stats runtime.MemStats
		runtime.ReadMemStats(&stats)
		return int64(stats.HeapAlloc)
	}
	c := open(t, Options{URL: "memory://16MiB"})
	before := heap()
	body := strings.Repeat("x", 1000)
	for i := range 10 * size / len(body) {
		eventually(t, "there is room in the queue", func() bool { return len(c.fills) < fillQueue/2 })
		c.Put(fmt.Appendf(nil, "systemscale:products:styles:1@abc:%d", i), example(7, body))
	}
	eventually(t, "the cache is within its bound", func() bool { return len(c.fills) == 0 && c.backend.bytes() <= size })
	taken := heap() - before
	t.Logf("%d bytes by its own count, %d of the heap", c.backend.bytes(), taken)
	if c.backend.bytes() < size/2 {
		t.Errorf("it has only %d bytes", c.backend.bytes())
	}
	if taken > size {
		t.Errorf("it takes %d bytes of the heap, want at most %d", taken, size)
	}
	runtime.KeepAlive(c)
}

func BenchmarkGet(b *testing.B) {
	server := redistest.New(b)
	for name, url := range map[string]string{"redis": server.URL(), "memory": "memory://8MiB"} {
		b.Run(name, func(b *testing.B) {
			c := open(b, Options{URL: url})
			key := []byte("systemscale:products:styles:1@abc:12345")
			put(b, c, string(key), example(7, strings.Repeat("x", 2000)))
			b.SetBytes(2000)
			b.ReportAllocs()
			b.SetParallelism(16)
			b.RunParallel(func(pb *testing.PB) {
				for pb.Next() {
					if _, found := c.Get(key); !found {
						b.Error("not found")
						return
					}
				}
			})
		})
	}
}
