// Package systemtest tests a running stack, with the real Postgres and the real NGINX, through the addresses that clients use.
package systemtest

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"reflect"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/goccy/go-json"

	"systemscale/infra/port/porttest"
	"systemscale/infra/process"
)

// stack is a running stack in a directory of its own.
type stack struct {
	t       *testing.T
	root    string // of the project
	state   string // in place of .run
	program string
	port    string
	env     map[string]string // .run/env
}

// start builds the stack program and brings the stack up with the CSV files of a directory.
func start(t *testing.T, csv string) (s *stack, report string) {
	t.Helper()
	root, err := filepath.Abs(filepath.Join("..", ".."))
	if err != nil {
		t.Fatal(err)
	}
	directory, err := os.MkdirTemp("", "systemscale-systemtest-")
	if err != nil {
		t.Fatal(err)
	}
	if err := os.Chmod(directory, 0o755); err != nil { // Postgres may have to run as another user
		t.Fatal(err)
	}
	s = &stack{t: t, root: root, state: filepath.Join(directory, "run"), program: filepath.Join(directory, "stack"), port: freePort(t)}
	t.Cleanup(func() {
		if t.Failed() {
			logs, _ := filepath.Glob(filepath.Join(s.state, "log", "*.log"))
			for _, log := range logs {
				t.Log(process.LogTail(log))
			}
		}
		out, err := s.command("down", "--purge").CombinedOutput()
		if err != nil {
			t.Errorf("down --purge: %v\n%s", err, out)
		}
		if _, err := os.Stat(s.state); err == nil {
			t.Errorf("down --purge left %s", s.state)
		}
		if err := os.RemoveAll(directory); err != nil {
			t.Error(err)
		}
	})
	build := exec.Command("go", "build", "-o", s.program, "./scripts/stack")
	build.Dir = root
	if out, err := build.CombinedOutput(); err != nil {
		t.Fatalf("build the stack program: %v\n%s", err, out)
	}
	report = s.up("--csv", csv)
	s.env = readEnv(t, filepath.Join(s.state, "env"))
	return s, report
}

func (s *stack) command(args ...string) *exec.Cmd {
	return exec.Command(s.program, append([]string{"--root", s.root, "--state", s.state}, args...)...)
}

// up brings the stack up and returns its output.
func (s *stack) up(args ...string) string {
	s.t.Helper()
	out, err := s.command(append([]string{"up", "--gateway-port", s.port}, args...)...).CombinedOutput()
	if err != nil {
		s.t.Fatalf("up %v: %v\n%s", args, err, out)
	}
	return string(out)
}

// etl runs the ETL against the stack's database and returns its output.
func (s *stack) etl(args ...string) string {
	s.t.Helper()
	command := s.etlCommand(args...)
	out, err := command.CombinedOutput()
	if err != nil {
		s.t.Fatalf("etl %v: %v\n%s", args, err, out)
	}
	return string(out)
}

func (s *stack) etlCommand(args ...string) *exec.Cmd {
	command := exec.Command(filepath.Join(s.state, "bin", "etl"), args...)
	command.Env = append(os.Environ(), "DATABASE_URL="+s.env["DATABASE_URL"])
	command.Dir = s.state // where rejects go by default
	return command
}

func freePort(t *testing.T) string {
	t.Helper()
	return strconv.Itoa(porttest.Number(t))
}

func readEnv(t *testing.T, path string) map[string]string {
	t.Helper()
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	env := map[string]string{}
	for line := range strings.Lines(string(text)) {
		name, value, _ := strings.Cut(strings.TrimSpace(line), "=")
		env[name] = strings.Trim(value, "'")
	}
	return env
}

// answer is a response with its whole body.
type answer struct {
	status int
	header http.Header
	body   string
}

// client sends Accept-Encoding only if a test sets it.
var client = &http.Client{Timeout: 10 * time.Second, Transport: &http.Transport{MaxIdleConnsPerHost: 64, DisableCompression: true}}

// get requests a path of the gateway. headers are pairs of a name and a value.
func (s *stack) get(path string, headers ...string) answer {
	s.t.Helper()
	return s.do(http.MethodGet, s.env["GATEWAY_URL"]+path, headers...)
}

// do sends a request. headers are pairs of a name and a value.
func (s *stack) do(method, url string, headers ...string) answer {
	s.t.Helper()
	got, err := request(s.t.Context(), method, url, headers...)
	if err != nil {
		s.t.Fatalf("%s %s: %v", method, url, err)
	}
	return got
}

func request(ctx context.Context, method, url string, headers ...string) (answer, error) {
	r, err := http.NewRequestWithContext(ctx, method, url, nil)
	if err != nil {
		return answer{}, err
	}
	if sent := r.URL.RequestURI(); !strings.HasSuffix(url, sent) && sent != "/" {
		return answer{}, fmt.Errorf("net/http would send %q for %s: use a wire", sent, url)
	}
	for i := 0; i+1 < len(headers); i += 2 {
		switch http.CanonicalHeaderKey(headers[i]) {
		case "Host":
			r.Host = headers[i+1]
		case "Content-Length", "Transfer-Encoding", "Trailer":
			return answer{}, fmt.Errorf("net/http would not send %s: use a wire", headers[i])
		default:
			r.Header.Set(headers[i], headers[i+1])
		}
	}
	response, err := client.Do(r)
	if err != nil {
		return answer{}, err
	}
	defer func() { _ = response.Body.Close() }()
	body, err := io.ReadAll(response.Body)
	return answer{response.StatusCode, response.Header, string(body)}, err
}

func sameJSON(t *testing.T, a, b string) bool {
	t.Helper()
	decode := func(text string) (value any) {
		decoder := json.NewDecoder(bytes.NewReader([]byte(text)))
		decoder.UseNumber()
		if err := decoder.Decode(&value); err != nil {
			t.Errorf("%.200s is not JSON: %v", text, err)
		}
		return value
	}
	return reflect.DeepEqual(decode(a), decode(b))
}

// eventually polls until ok returns true.
func eventually(t *testing.T, what string, ok func() bool) {
	t.Helper()
	deadline := time.Now().Add(40 * time.Second)
	for !ok() {
		if time.Now().After(deadline) {
			t.Fatalf("not after 40 s: %s", what)
		}
		time.Sleep(100 * time.Millisecond)
	}
}

// generate generates a catalog and returns its directory.
func (s *stack) generate(products, seed int) string {
	s.t.Helper()
	directory := filepath.Join(s.t.TempDir(), "csv")
	command := exec.Command(filepath.Join(s.state, "bin", "generate"), "--products", fmt.Sprint(products), "--seed", fmt.Sprint(seed),
		"--out", directory)
	if out, err := command.CombinedOutput(); err != nil {
		s.t.Fatalf("generate: %v\n%s", err, out)
	}
	return directory
}
