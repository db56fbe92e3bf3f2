package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"systemscale/api/internal/publishtest"
	"systemscale/sql"
	"systemscale/sql/testdb"
)

// buffer is a bytes.Buffer for several goroutines.
type buffer struct {
	mutex sync.Mutex
	bytes []byte
}

func (b *buffer) Write(p []byte) (int, error) {
	b.mutex.Lock()
	defer b.mutex.Unlock()
	b.bytes = append(b.bytes, p...)
	return len(p), nil
}

func (b *buffer) String() string {
	b.mutex.Lock()
	defer b.mutex.Unlock()
	return string(b.bytes)
}

// over returns a client that sends all requests over one unix socket.
func over(socket string) *http.Client {
	return &http.Client{Timeout: publishtest.Patience, Transport: &http.Transport{
		DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
			return new(net.Dialer).DialContext(ctx, "unix", socket)
		},
	}}
}

// get returns status and body, or an error if the response is incomplete.
func get(client *http.Client, url string) (status int, body string, closes bool, err error) {
	answer, err := client.Get(url)
	if err != nil {
		return 0, "", false, err
	}
	defer func() { _ = answer.Body.Close() }()
	text, err := io.ReadAll(answer.Body)
	return answer.StatusCode, string(text), answer.Close, err
}

func TestCommandLine(t *testing.T) {
	t.Setenv("DATABASE_URL", "")
	for _, c := range []struct {
		name   string
		args   []string
		out    string // in the output
		err    string // in the error; empty for none
		secret string // in neither
	}{
		{name: "help", args: []string{"--help"}, out: "Example:"},
		{name: "version", args: []string{"--version"}, out: "devel"}, // a test binary has no version control
		{name: "no database", args: nil, err: "DATABASE_URL"},
		{name: "bad database", args: []string{"--database", "postgres://u:hunter2@h:x/d", "--listen", "127.0.0.1:0", "--admin", "127.0.0.1:0"}, err: "--database", secret: "hunter2"},
		{name: "bad address", args: []string{"--database", "postgres://h/d", "--listen", "nonsense"}, err: "host:port or unix:/path"},
		{name: "no connections", args: []string{"--database", "postgres://h/d", "--connections", "0"}, err: "--connections must be at least 1"},
		{name: "no batch", args: []string{"--database", "postgres://h/d", "--batch=-1"}, err: "--batch must be at least 1"},
		{name: "no time", args: []string{"--database", "postgres://h/d", "--timeout", "0s"}, err: "--timeout"},
		{name: "no age", args: []string{"--database", "postgres://h/d", "--cache-age", "0s"}, err: "--cache-age must be whole seconds"},
		{name: "half an age", args: []string{"--database", "postgres://h/d", "--cache-age", "1500ms"}, err: "--cache-age must be whole seconds"},
		{name: "negative pause", args: []string{"--database", "postgres://h/d", "--drain-pause=-1s"}, err: "--drain-pause"},
		{name: "bad cache", args: []string{"--database", "postgres://h/d", "--document-cache", "redis://u:hunter2@h:x", "--listen", "127.0.0.1:0", "--admin", "127.0.0.1:0"}, err: "--document-cache (CACHE_URL): not a URL", secret: "hunter2"},
		{name: "cache slower than the database", args: []string{"--database", "postgres://h/d", "--document-cache", "memory://8MiB", "--document-cache-timeout", "3s"}, err: "--document-cache-timeout must be"},
		{name: "short life", args: []string{"--database", "postgres://h/d", "--document-cache-ttl", "1ms"}, err: "--document-cache-ttl must be"},
		{name: "unknown flag", args: []string{"--frobnicate"}, err: "api --help"},
	} {
		t.Run(c.name, func(t *testing.T) {
			var out, log bytes.Buffer
			err := serve(context.Background(), c.args, &out, &log)
			if (err == nil) != (c.err == "") || err != nil && !strings.Contains(err.Error(), c.err) {
				t.Errorf("fails with %v, want %q", err, c.err)
			}
			if !strings.Contains(out.String(), c.out) {
				t.Errorf("prints %q, want %q", out.String(), c.out)
			}
			if got := fmt.Sprint(out.String(), log.String(), err); c.secret != "" && strings.Contains(got, c.secret) {
				t.Errorf("gives %q away", c.secret)
			}
		})
	}
}

func TestStartWithoutDatabase(t *testing.T) {
	dir := shortDir(t)
	ctx, stop := context.WithCancel(context.Background())
	defer stop()
	var log buffer
	done := make(chan error)
	go func() {
		done <- serve(ctx, []string{
			"--database", "postgres://u:hunter2@" + "127.0.0.1:1/d", "--drain-pause", "0s",
			"--listen", "unix:" + dir + "/api", "--admin", "unix:" + dir + "/admin",
		}, io.Discard, &log)
	}()
	admin := over(dir + "/admin")
	publishtest.Eventually(t, "it lives", func() bool {
		status, _, _, _ := get(admin, "http://admin/live")
		return status == http.StatusOK
	})
	for range 3 {
		status, body, _, err := get(admin, "http://admin/ready")
		if err != nil || status != http.StatusServiceUnavailable || !strings.Contains(body, "no connection to the database yet") {
			t.Errorf("/ready: %d %s %v", status, body, err)
		}
		if status, _, _, err = get(over(dir+"/api"), "http://api/products/1"); status != http.StatusServiceUnavailable {
			t.Errorf("a document: %d %v", status, err)
		}
	}
	ask := func() error {
		return serve(t.Context(), []string{"--healthcheck", "--admin", "unix:" + dir + "/admin"}, io.Discard, io.Discard)
	}
	if err := ask(); err == nil || !strings.Contains(err.Error(), "no connection to the database yet") {
		t.Errorf("--healthcheck of an instance that is not ready: %v", err)
	}
	stop()
	if err := <-done; err != nil {
		t.Errorf("run: %v", err)
	}
	if err := ask(); err == nil || !strings.Contains(err.Error(), "the admin port does not respond") {
		t.Errorf("--healthcheck without an instance: %v", err)
	}
	if strings.Contains(log.String(), "hunter2") || strings.Count(log.String(), "cannot read the published version") != 1 {
		t.Errorf("the log contains the password, or does not report the missing database once: %s", log.String())
	}
	for _, name := range []string{"api", "admin"} {
		if exists(filepath.Join(dir, name)) {
			t.Errorf("the socket %s still exists", name)
		}
	}
}

// binaryDir is the directory of the command, which is built once for all tests.
var binaryDir string

var binary = sync.OnceValues(func() (string, error) {
	path := filepath.Join(binaryDir, "api")
	if text, err := exec.Command("go", "build", "-o", path, ".").CombinedOutput(); err != nil {
		return "", fmt.Errorf("%w: %s", err, text)
	}
	return path, nil
})

func TestMain(m *testing.M) {
	var err error
	if binaryDir, err = os.MkdirTemp("", "api"); err != nil {
		panic(err)
	}
	m.Run()
	_ = os.RemoveAll(binaryDir)
}

// process is the running command, with a new database in which a collection is published.
type process struct {
	*exec.Cmd
	t        testing.TB
	database testdb.Database
	log      *buffer
	socket   string
	admin    *http.Client
	tcp      string // host:port
	run      int64
	exited   chan error
}

const ids = 200

func text(id int64) string {
	return fmt.Sprintf(`{"id": %d, "pad": "%s"}`, id, strings.Repeat("x", int(id*37%4999)))
}

func start(t testing.TB, args ...string) *process {
	t.Helper()
	path, err := binary()
	if err != nil {
		t.Fatalf("build the command: %v", err)
	}
	p := &process{t: t, database: testdb.New(t), log: new(buffer), exited: make(chan error, 1)}
	table := publishtest.Table{Endpoint: sql.Endpoint{Name: "item"}}
	for id := int64(1); id <= ids; id++ {
		table.Rows = append(table.Rows, publishtest.Row{ID: sql.IntID(id), ETag: uint64(id), Body: text(id)})
	}
	p.run = publishtest.NewPublisher(t, p.database).Publish("things", table)

	dir := shortDir(t)
	p.socket, p.admin = dir+"/api", over(dir+"/admin")
	p.Cmd = exec.Command(path, append([]string{
		"--listen", "unix:" + p.socket, "--listen", "127.0.0.1:0", "--admin", "unix:" + dir + "/admin",
	}, args...)...)
	p.Env = append(os.Environ(), "DATABASE_URL="+p.database.API)
	p.Stderr = p.log
	if err := p.Start(); err != nil {
		t.Fatal(err)
	}
	go func() { p.exited <- p.Wait() }()
	t.Cleanup(func() {
		_ = p.Process.Kill()
		if t.Failed() {
			t.Logf("log of the process:\n%s", p.log.String())
		}
	})
	publishtest.Eventually(t, "it is ready", func() bool {
		status, _, _, _ := get(p.admin, "http://admin/ready")
		return status == http.StatusOK
	})
	_, after, _ := strings.Cut(p.log.String(), "address=127.0.0.1:")
	port, _, _ := strings.Cut(after, "\n")
	p.tcp = "127.0.0.1:" + port
	return p
}

func (p *process) signal() {
	p.t.Helper()
	if err := p.Process.Signal(syscall.SIGTERM); err != nil {
		p.t.Fatal(err)
	}
}

func (p *process) exit() error {
	p.t.Helper()
	select {
	case err := <-p.exited:
		return err
	case <-time.After(publishtest.Patience):
		p.t.Fatal("the process does not end")
		return nil
	}
}

// check fails the test unless the response is the whole document.
func check(t testing.TB, id int64, status int, body string) {
	t.Helper()
	if status != http.StatusOK || body != text(id) {
		t.Errorf("document %d: got %d with %d bytes, want 200 with %d", id, status, len(body), len(text(id)))
	}
}

// refused reports whether err means that no process listens any more, so no request was sent.
func refused(err error) bool {
	text := err.Error()
	return strings.Contains(text, "connect: connection refused") || strings.Contains(text, "connect: no such file or directory")
}

func TestSIGTERMUnderLoad(t *testing.T) {
	p := start(t, "--drain-pause", "2s") // long enough for a busy machine
	var answered, closed atomic.Int64
	var wait sync.WaitGroup
	random := func(client int) *rand.Rand { return rand.New(rand.NewPCG(6, uint64(client))) }

	// Like NGINX on the same machine: send requests until no process listens, and repeat none.
	for client := range 16 {
		wait.Go(func() {
			random, http := random(client), over(p.socket)
			for {
				id := 1 + random.Int64N(ids)
				status, body, closes, err := get(http, fmt.Sprintf("http://api/things/%d", id))
				if err != nil {
					if !refused(err) {
						t.Errorf("over the unix socket: %v", err)
					}
					return
				}
				check(t, id, status, body)
				answered.Add(1)
				if closes {
					closed.Add(1)
				}
			}
		})
	}
	// Over TCP, a client has received Connection: close, and connects a few more times. How many of these requests are answered during the
	// pause depends on the machine; a closed port afterwards loses no request.
	var signaled atomic.Bool
	for client := range 16 {
		wait.Go(func() {
			random, http := random(100+client), &http.Client{Timeout: publishtest.Patience, Transport: &http.Transport{}}
			for closings := 0; closings < 5; {
				id := 1 + random.Int64N(ids)
				status, body, closes, err := get(http, fmt.Sprintf("http://%s/things/%d", p.tcp, id))
				if err != nil {
					if closings == 0 && !(signaled.Load() && refused(err)) {
						t.Errorf("over TCP: %v", err)
					}
					return
				}
				check(t, id, status, body)
				answered.Add(1)
				if closes {
					closings++
				}
			}
		})
	}
	publishtest.Eventually(t, "there is load", func() bool { return answered.Load() > 1000 })
	signaled.Store(true)
	p.signal()
	publishtest.Eventually(t, "/ready reports the reason", func() bool {
		status, body, _, err := get(p.admin, "http://admin/ready")
		var got struct{ Reason string }
		return err == nil && status == http.StatusServiceUnavailable && json.Unmarshal([]byte(body), &got) == nil && got.Reason == "draining"
	})
	wait.Wait()
	if err := p.exit(); err != nil {
		t.Errorf("exit: %v", err)
	}
	if closed.Load() == 0 {
		t.Error("no response during the pause closed its connection")
	}
	for _, phase := range []string{"drain connections", "close listeners and finish requests", "close the store"} {
		if strings.Count(p.log.String(), `msg="shutdown: `+phase+`" took=`) != 1 {
			t.Errorf("the log does not contain once the duration of: %s", phase)
		}
	}
	if exists(p.socket) {
		t.Error("the socket still exists")
	}
	t.Logf("%d answers, %d of them the last on their connection", answered.Load(), closed.Load())
}

func TestCacheAgeAndVersion(t *testing.T) {
	p := start(t, "--cache-age", "4s")
	answer, err := http.Get("http://" + p.tcp + "/things/1")
	if err != nil {
		t.Fatal(err)
	}
	_ = answer.Body.Close()
	if got, want := answer.Header.Get("Cache-Control"), "public, max-age=2, s-maxage=4, stale-while-revalidate=12"; got != want {
		t.Errorf("Cache-Control: %s, want %s", got, want)
	}
	if out, err := exec.Command(p.Path, "--healthcheck", "--admin", "unix:"+filepath.Join(filepath.Dir(p.socket), "admin")).CombinedOutput(); err != nil {
		t.Errorf("--healthcheck of a ready instance: %v\n%s", err, out)
	}
	status, body, _, err := get(p.admin, "http://admin/version")
	var got struct {
		Module, Go string
		Data       map[string]struct {
			Run         int64
			PublishedAt time.Time `json:"published_at"`
			Age         float64   `json:"age_seconds"`
		}
	}
	if err != nil || status != http.StatusOK || json.Unmarshal([]byte(body), &got) != nil {
		t.Fatalf("/version: %d %s %v", status, body, err)
	}
	things := got.Data["things"]
	if got.Module != "systemscale" || got.Go == "" || things.Run != p.run || things.PublishedAt.IsZero() || things.Age < 0 || things.Age > publishtest.Patience.Seconds() {
		t.Errorf("/version returned %s", body)
	}
}

// lock blocks all reads of documents by the process until the returned function is called.
func (p *process) lock() (unlock func()) {
	p.t.Helper()
	ctx := context.Background()
	transaction, err := testdb.Connect(p.t, p.database.ETL).Begin(ctx)
	if err == nil {
		_, err = transaction.Exec(ctx, "lock table catalog."+sql.DocumentTable("things", "item", p.run)+" in access exclusive mode")
	}
	if err != nil {
		p.t.Fatal(err)
	}
	return func() { _ = transaction.Rollback(ctx) }
}

// waiting returns the number of the process's statements that wait for the lock.
func (p *process) waiting() func() int {
	admin := testdb.Connect(p.t, p.database.AdminURL)
	return func() (count int) {
		err := admin.QueryRow(context.Background(), `
			select count(*) from pg_stat_activity
			where application_name = 'systemscale-api' and datname = current_database() and wait_event_type = 'Lock'`).Scan(&count)
		if err != nil {
			p.t.Fatal(err)
		}
		return count
	}
}

func TestSIGTERMWaitsForRequests(t *testing.T) {
	p := start(t, "--drain-pause", "0s", "--timeout", publishtest.Patience.String(), "--drain-limit", publishtest.Patience.String())
	waiting := p.waiting()
	unlock := p.lock()
	var wait sync.WaitGroup
	for id := int64(1); id <= 8; id++ {
		wait.Go(func() {
			status, body, _, err := get(&http.Client{}, fmt.Sprintf("http://%s/things/%d", p.tcp, id))
			if err != nil {
				t.Errorf("document %d: %v", id, err)
				return
			}
			check(t, id, status, body)
		})
	}
	publishtest.Eventually(t, "requests are under way", func() bool { return waiting() > 0 })
	p.signal()
	publishtest.Eventually(t, "the port is closed", func() bool {
		conn, err := net.Dial("tcp", p.tcp)
		if err == nil {
			_ = conn.Close()
		}
		return err != nil
	})
	select {
	case err := <-p.exited:
		t.Fatalf("the process ends before its requests: %v", err)
	default:
	}
	unlock()
	wait.Wait()
	if err := p.exit(); err != nil {
		t.Errorf("exit: %v", err)
	}
}

func TestSecondSignalKills(t *testing.T) {
	p := start(t, "--drain-pause", "1h")
	p.signal()
	publishtest.Eventually(t, "the first signal is heeded", func() bool {
		status, _, _, _ := get(p.admin, "http://admin/ready")
		return status == http.StatusServiceUnavailable
	})
	p.signal()
	err := p.exit()
	exit, ok := errors.AsType[*exec.ExitError](err)
	if !ok {
		t.Fatalf("exit: %v, want the end by a signal", err)
	}
	if status, ok := exit.Sys().(syscall.WaitStatus); !ok || !status.Signaled() {
		t.Errorf("exit: %v, want the end by a signal", err)
	}
}

func TestDrainLimit(t *testing.T) {
	p := start(t, "--drain-pause", "0s", "--drain-limit", "200ms", "--timeout", publishtest.Patience.String())
	waiting := p.waiting()
	unlock := p.lock()
	defer unlock()
	go func() { _, _, _, _ = get(&http.Client{}, "http://"+p.tcp+"/things/1") }()
	publishtest.Eventually(t, "a request is under way", func() bool { return waiting() > 0 })
	p.signal()
	err := p.exit()
	if exit, ok := errors.AsType[*exec.ExitError](err); !ok || exit.ExitCode() != 1 || !strings.Contains(p.log.String(), "deadline exceeded") {
		t.Errorf("exit: %v, want status 1 and a reason", err)
	}
}
