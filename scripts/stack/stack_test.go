package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"systemscale/infra/port"
	"systemscale/infra/port/porttest"
	"systemscale/infra/process"
)

// TestMain runs the program instead of the tests if a test starts its own binary as the program.
func TestMain(m *testing.M) {
	if os.Getenv("STACK_TEST_RUN_PROGRAM") != "" {
		main()
		return
	}
	m.Run()
}

// call runs a command of the program in this process.
func call(t *testing.T, arguments ...string) (out, progress string, err error) {
	t.Helper()
	in, openErr := os.Open(os.DevNull)
	if openErr != nil {
		t.Fatal(openErr)
	}
	defer func() { _ = in.Close() }()
	var outText, errText strings.Builder
	err = execute(t.Context(), append([]string{"--root", "../.."}, arguments...), console{in, &outText, &errText})
	return outText.String(), errText.String(), err
}

// listen takes a loopback port until the test ends.
func listen(t *testing.T) int {
	t.Helper()
	listener, err := net.Listen("tcp4", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = listener.Close() })
	return listener.Addr().(*net.TCPAddr).Port
}

func TestUpRefusesInvalidArguments(t *testing.T) {
	taken := strconv.Itoa(listen(t))
	empty := t.TempDir()
	for _, test := range []struct {
		name      string
		arguments []string
		want      string
	}{
		{"taken port", []string{"--gateway-port", taken}, "port " + taken +
			" is taken by another program: stop that one, or choose another port, such as GATEWAY_PORT="},
		{
			"taken TLS port",
			[]string{"--gateway-port", strconv.Itoa(porttest.Number(t)), "--gateway-tls-port", taken},
			"such as GATEWAY_TLS_PORT=",
		},
		{"two catalogs", []string{"--csv", empty, "--products", "5"}, "CSV and PRODUCTS exclude each other"},
		{"no products", []string{"--products=0"}, "PRODUCTS=0: must be a whole number, 1 or more"},
		{"fewer", []string{"--products=-1"}, "PRODUCTS=-1: must be a whole number, 1 or more"},
		{"no port", []string{"--gateway-port=abc"}, `"abc" is not a port: GATEWAY_PORT and GATEWAY_TLS_PORT are numbers from 1 to 65535`},
		{"port 0", []string{"--gateway-tls-port=0"}, "numbers from 1 to 65535"},
		{"directory without CSVs", []string{"--csv", empty}, "there is no CSV file in the directory"},
		{"missing directory", []string{"--csv", empty + "/missing"}, "CSV: there is no directory " + empty + "/missing: give the directory"},
		{"a file", []string{"--csv", "stack_test.go"}, "is a file: give its directory, CSV="},
		{"a line break", []string{"--csv", empty + "/a\nb"}, "line break"},
		{
			"no gate",
			[]string{"--accept", "removed,removal"},
			`there is no gate "removal"; there are truncated-file, unreconciled, rejects, removed, changed`,
		},
		{"not a number", []string{"--products", "many"}, "stack --help"},
		{"no aliases", []string{"--aliases", empty + "/missing"}, "ALIASES: open " + empty + "/missing: no such file"},
		{"an alias without a target", []string{"--aliases", "stack_test.go"}, "stack_test.go:1: address \"package\" must be a path and one parameter"},
	} {
		t.Run(test.name, func(t *testing.T) {
			state := t.TempDir()
			_, _, err := call(t, append([]string{"--state", state, "up"}, test.arguments...)...)
			if err == nil || !strings.Contains(err.Error(), test.want) {
				t.Errorf("up = %v, want %q", err, test.want)
			}
			if _, err := os.Stat(filepath.Join(state, "state.json")); err == nil {
				t.Error("something was started")
			}
		})
	}
}

func TestDownAndStatusWithoutServers(t *testing.T) {
	state := filepath.Join(t.TempDir(), "never made")
	if out, _, err := call(t, "--state", state, "down", "--purge"); err != nil || out != "nothing runs\n" {
		t.Errorf("down = %q, %v", out, err)
	}
	if out, _, err := call(t, "--state", state, "status"); err != nil || strings.Contains(out, "runs") {
		t.Errorf("status = %q, %v", out, err)
	}
	if _, err := os.Stat(state); err == nil {
		t.Error("status or down has created the directory")
	}
}

func TestDownPurgesOutsideDirectories(t *testing.T) {
	directory, outside := t.TempDir(), filepath.Join(t.TempDir(), "outside")
	if err := os.Mkdir(outside, 0o755); err != nil {
		t.Fatal(err)
	}
	left := &state{Outside: []string{outside}, path: filepath.Join(directory, "state.json")}
	// Another process with the same pid.
	stranger, err := process.Of(os.Getpid())
	if err != nil {
		t.Fatal(err)
	}
	stranger.Started += "0"
	left.Postgres.Process, left.Gateway.Process = stranger, stranger
	left.Instances = []instance{{Process: stranger}}
	if err := left.save(); err != nil {
		t.Fatal(err)
	}
	if out, _, err := call(t, "--state", directory, "down", "--purge"); err != nil || !strings.HasPrefix(out, "nothing runs\n") {
		t.Errorf("down = %q, %v", out, err)
	}
	for _, path := range []string{directory, outside} {
		if _, err := os.Stat(path); err == nil {
			t.Errorf("%s stayed", path)
		}
	}
}

func TestState(t *testing.T) {
	directory := t.TempDir()
	first, err := readState(directory)
	if err != nil {
		t.Fatal(err)
	}
	first.Instances = []instance{{Process: process.Identity{PID: 3, Started: "then"}, Port: 8081}}
	first.Passwords.ETL = "secret"
	if err := first.save(); err != nil {
		t.Fatal(err)
	}
	second, err := readState(directory)
	if err != nil || fmt.Sprint(*second) != fmt.Sprint(*first) {
		t.Errorf("read %v, %v, saved %v", *second, err, *first)
	}
	if info, err := os.Stat(first.path); err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("%v, %v: other users can read the passwords", info.Mode(), err)
	}
	if err := os.WriteFile(first.path, []byte(`{"postgres": `), 0o600); err != nil {
		t.Fatal(err)
	}
	_, err = readState(directory)
	if err == nil || !strings.Contains(err.Error(), "is damaged") || !strings.Contains(err.Error(), "remove "+directory) {
		t.Errorf("a damaged state: %v", err)
	}
}

func TestLock(t *testing.T) {
	directory := t.TempDir()
	release, err := lock(directory)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := lock(directory); err == nil || !strings.Contains(err.Error(), "another up or down is running") {
		t.Errorf("a second one: %v", err)
	}
	release()
	release, err = lock(directory)
	if err != nil {
		t.Fatalf("after the first one: %v", err)
	}
	release()
}

func TestFormatEnvironment(t *testing.T) {
	value := "postgres://u:p@/d?host=%2Ftmp&port=5 $HOME `id` \"x\" \\ #;{é"
	quoted := "it's " + value
	text, err := formatEnvironment([]variable{{"FIRST", value}, {"SECOND", ""}, {"THIRD", quoted}})
	if err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(t.TempDir(), "env")
	if err := os.WriteFile(path, text, 0o600); err != nil {
		t.Fatal(err)
	}
	out, err := exec.Command("sh", "-c", `. "$0"; printf '%s|%s|%s' "$FIRST" "$SECOND" "$THIRD"`, path).Output()
	if err != nil || string(out) != value+"||"+quoted {
		t.Errorf("a shell reads %q, %v from %q", out, err, text)
	}
	if _, err := formatEnvironment([]variable{{"NAME", "two\nlines"}}); err == nil || !strings.Contains(err.Error(), "NAME") {
		t.Errorf("two lines: %v", err)
	}
	for _, word := range []string{"/plain/path", value, quoted, ""} {
		if out, err := exec.Command("sh", "-c", "printf %s "+shellWord(word)).Output(); err != nil || string(out) != word {
			t.Errorf("a shell reads %q, %v from %s", out, err, shellWord(word))
		}
	}
}

func newStack(t *testing.T, present state) *stack {
	t.Helper()
	present.path = filepath.Join(t.TempDir(), "state.json")
	stack := &stack{state: &present, console: console{out: io.Discard, err: io.Discard}}
	if err := stack.save(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(stack.claims.Release)
	return stack
}

func TestClaimPort(t *testing.T) {
	stack, other := newStack(t, state{}), newStack(t, state{})
	first := porttest.Number(t) // taken by a test
	got, err := stack.claimPort(0, first)
	if err != nil || got <= first {
		t.Fatalf("claimPort(0, %d) = %d, %v", first, got, err)
	}
	stack.claims.Release()
	if again, err := stack.claimPort(got, first); err != nil || again != got {
		t.Errorf("the stack gets port %[2]d instead of its former port %[1]d, %[3]v", got, again, err)
	}
	stack.claims.Release()
	if theirs, err := other.claimPort(got, first); err != nil || theirs == got {
		t.Errorf("another stack gets port %d of a stopped stack, %v", theirs, err)
	}
	// Any connection may get an ephemeral port.
	if moved, err := stack.claimPort(listen(t), first); err != nil || port.HandedOut(moved) {
		t.Errorf("the stack keeps port %d, %v", moved, err)
	}
}

func TestPortTakenAfterClaim(t *testing.T) {
	stack := newStack(t, state{})
	broken := errors.New("broken")
	for _, test := range []struct {
		name     string
		taken    int // attempts that find their port taken
		fails    error
		attempts int
	}{
		{"never", 0, nil, 1},
		{"once", 1, nil, 2},
		{"always", startAttempts, broken, startAttempts},
		{"broken for another reason", 0, broken, 1},
	} {
		t.Run(test.name, func(t *testing.T) {
			attempts := 0
			err := stack.onFreePorts(func() ([]int, error) {
				if attempts++; attempts <= test.taken {
					return []int{porttest.Number(t), listen(t)}, broken
				}
				return []int{porttest.Number(t)}, test.fails
			})
			if !errors.Is(err, test.fails) || attempts != test.attempts {
				t.Errorf("%v after %d attempts, want %v after %d", err, attempts, test.fails, test.attempts)
			}
		})
	}
}

func TestClaimGatewayPorts(t *testing.T) {
	alive, err := process.Of(os.Getpid())
	if err != nil {
		t.Fatal(err)
	}
	taken, free, another := listen(t), porttest.Number(t), porttest.Number(t)
	present := gatewayRun{Process: alive, Port: taken, TLSPort: listen(t), Refresh: listen(t)}
	stopped := present
	stopped.Process = process.Identity{}
	stopped.Port = free
	held, err := port.Next(port.First, "")
	if err != nil {
		t.Fatal(err)
	}
	defer held.Release()
	for _, test := range []struct {
		name      string
		present   gatewayRun
		requested gatewayPorts
		check     func(gatewayPorts, error) bool
	}{
		{"first start", gatewayRun{}, gatewayPorts{clients: free}, func(got gatewayPorts, err error) bool {
			return err == nil && got.clients == free && got.tls >= defaultTLSPort && got.refresh >= firstRefreshPort
		}},
		{"running", present, gatewayPorts{}, func(got gatewayPorts, err error) bool {
			return err == nil && got == gatewayPorts{present.Port, present.TLSPort, present.Refresh}
		}},
		{"running, from a version without TLS", gatewayRun{Process: alive, Port: taken}, gatewayPorts{}, func(got gatewayPorts, err error) bool {
			return err == nil && got.clients == taken && got.tls >= defaultTLSPort && got.refresh >= firstRefreshPort
		}},
		{"others requested", present, gatewayPorts{clients: free, tls: another}, func(got gatewayPorts, err error) bool {
			return err == nil && got == gatewayPorts{free, another, present.Refresh}
		}},
		{"stopped, with chosen ports taken", stopped, gatewayPorts{}, func(got gatewayPorts, err error) bool {
			return err == nil && got.clients == free && got.tls != present.TLSPort && got.refresh != present.Refresh && got.tls != got.refresh
		}},
		{"port of the refresh endpoint requested", gatewayRun{TLSPort: free, Refresh: free}, gatewayPorts{clients: free}, func(got gatewayPorts, err error) bool {
			return err == nil && got.clients == free && got.tls != free && got.refresh != free && got.tls != got.refresh
		}},
		{"requested port taken", gatewayRun{}, gatewayPorts{clients: free, tls: taken}, func(_ gatewayPorts, err error) bool {
			return err != nil && strings.Contains(err.Error(), "GATEWAY_TLS_PORT=")
		}},
		{"requested port claimed", gatewayRun{}, gatewayPorts{clients: held.Number}, func(_ gatewayPorts, err error) bool {
			return err != nil && strings.Contains(err.Error(), "another stack is about to use it") && strings.Contains(err.Error(), "GATEWAY_PORT=")
		}},
	} {
		t.Run(test.name, func(t *testing.T) {
			stack := newStack(t, state{Gateway: test.present})
			if got, err := stack.claimGatewayPorts(test.requested); !test.check(got, err) {
				t.Errorf("claimGatewayPorts() = %+v, %v", got, err)
			}
		})
	}
}

func TestLinkAccessLog(t *testing.T) {
	directory := t.TempDir()
	stack := &stack{location: location{State: directory}}
	if err := os.Mkdir(stack.logs(), 0o755); err != nil {
		t.Fatal(err)
	}
	for _, target := range []string{filepath.Join(directory, "a"), filepath.Join(directory, "b"), filepath.Join(directory, "b")} {
		if err := os.WriteFile(target, []byte(target), 0o600); err != nil {
			t.Fatal(err)
		}
		if err := stack.linkAccessLog(target); err != nil {
			t.Fatal(err)
		}
		if text, err := os.ReadFile(filepath.Join(stack.logs(), "access.json")); err != nil || string(text) != target {
			t.Errorf("the log reads %q, %v, want %q", text, err, target)
		}
	}
}

func TestCompareSpace(t *testing.T) {
	if err := compareSpace("/x", spare, spare); err != nil {
		t.Error(err)
	}
	err := compareSpace("/x", spare-1, spare)
	if err == nil || err.Error() != "the disk under /x has 499 MB free, and 500 MB are needed: free some space, or load fewer products (PRODUCTS=1000)" {
		t.Errorf("compareSpace() = %v", err)
	}
	if err := requireSpace(t.TempDir(), 1<<62); err == nil || !strings.Contains(err.Error(), "free some space") {
		t.Errorf("2^62 bytes: %v", err)
	}
}

func TestFitsSocket(t *testing.T) {
	for directory, want := range map[string]bool{
		"/srv/systemscale/.run/run":   true,
		"/" + strings.Repeat("x", 78): true,
		"/" + strings.Repeat("x", 79): false,
		"/home/user/my projects/.run": false,
		"/home/a,b/.run":              false,
	} {
		if got := fitsSocket(directory); got != want {
			t.Errorf("fitsSocket(%q) = %v", directory, got)
		}
	}
}

func TestDescribeFiles(t *testing.T) {
	directory := t.TempDir()
	write := func(name, text string) {
		t.Helper()
		if err := os.WriteFile(filepath.Join(directory, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	describe := func() (int64, string) {
		t.Helper()
		size, fingerprint, err := describeFiles(directory)
		if err != nil {
			t.Fatal(err)
		}
		return size, fingerprint
	}
	write("a.csv", "12345")
	write("b.csv.gz", "678")
	size, first := describe()
	if size != 8 {
		t.Errorf("size %d, want 8", size)
	}
	write("README", "not data")
	if _, got := describe(); got != first {
		t.Error("a file that is not a CSV changes the fingerprint")
	}
	later := time.Now().Add(time.Hour)
	if err := os.Chtimes(filepath.Join(directory, "a.csv"), later, later); err != nil {
		t.Fatal(err)
	}
	_, rewritten := describe()
	write("c.csv", "")
	_, added := describe()
	if rewritten == first || added == rewritten {
		t.Error("a rewritten or an added file does not change the fingerprint")
	}
}

func TestChoose(t *testing.T) {
	mine := t.TempDir()
	if err := os.WriteFile(filepath.Join(mine, "product.csv"), []byte("id\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	_, fingerprint, err := describeFiles(mine)
	if err != nil {
		t.Fatal(err)
	}
	sample := func(products int) catalog {
		return catalog{Directory: "/state/csv/" + strconv.Itoa(products), Products: products}
	}
	own := catalog{Directory: mine, Fingerprint: fingerprint}
	changed := catalog{Directory: mine, Fingerprint: "another"}
	gone := catalog{Directory: "/no/such/directory", Fingerprint: "x"}
	published := own
	published.Run = 7
	for _, test := range []struct {
		name            string
		loaded, loading catalog
		empty           bool // database
		command         upCommand
		want            catalog
		wanted          bool
	}{
		{"first time", catalog{}, catalog{}, true, upCommand{}, sample(defaultProducts), true},
		{"again", sample(defaultProducts), catalog{}, false, upCommand{}, sample(defaultProducts), false},
		{"again, named", sample(50), catalog{}, false, upCommand{Products: 50}, sample(50), false},
		{"another size", sample(50), catalog{}, false, upCommand{Products: 60}, sample(60), true},
		{"own files", sample(50), catalog{}, false, upCommand{CSV: mine}, own, true},
		{"own files again", published, catalog{}, false, upCommand{CSV: mine}, published, false},
		{"own files, changed", changed, catalog{}, false, upCommand{CSV: mine}, own, true},
		{"own files stay", changed, catalog{}, false, upCommand{}, changed, false},
		{"own files stay, but are removed", gone, catalog{}, false, upCommand{}, gone, false},
		{"back to a sample", own, catalog{}, false, upCommand{Products: 50}, sample(50), true},
		{"a load of own files was interrupted", sample(50), own, false, upCommand{}, own, true},
		{"a first load was interrupted", catalog{}, own, false, upCommand{}, own, true},
		{"a load was interrupted, and the former is named", sample(50), own, false, upCommand{Products: 50}, sample(50), true},
		{"the database is gone", own, catalog{}, true, upCommand{}, own, true},
		{"the database is gone, with a sample", sample(50), catalog{}, true, upCommand{}, sample(50), true},
	} {
		t.Run(test.name, func(t *testing.T) {
			stack := &stack{location: location{State: "/state"}, state: &state{Catalog: test.loaded, Loading: test.loading}}
			got, err := stack.choose(test.command.CSV, int(test.command.Products), test.empty)
			if err != nil || got.catalog != test.want || got.wanted != test.wanted {
				t.Errorf("choose() = %+v, %v, want %+v, wanted %v", got, err, test.want, test.wanted)
			}
			if got.wanted != (got.space > 0) {
				t.Errorf("wanted %v, but takes %d bytes", got.wanted, got.space)
			}
		})
	}
}

func TestFailedGates(t *testing.T) {
	report := "gate             value  limit  verdict\nunreconciled         0      0   passed\nremoved          83.1%     5%   failed\n" +
		"changed           100%    50%   accepted\nempty-file           0      1   failed\nremoved: 291 items have failed\nnot-a-gate  1 2 failed\n"
	for _, test := range []struct {
		report string
		code   int
		want   []string
	}{
		{report, 22, []string{"removed", "empty-file"}},
		{"", 24, []string{"missing-column"}}, // found in a header, before there is a report
		{"", 26, []string{"document-size"}},
		{"", 27, []string{"fewer-rows"}},
		{"", 28, nil},
		{"", 3, nil},
	} {
		if got := failedGates(test.report, test.code); !slices.Equal(got, test.want) {
			t.Errorf("failedGates(%q, %d) = %q, want %q", test.report, test.code, got, test.want)
		}
	}
}

// TestGates compares the gates that ACCEPT takes with those of the ETL.
func TestGates(t *testing.T) {
	etl := filepath.Join(t.TempDir(), "etl")
	if out, err := exec.Command("go", "build", "-o", etl, "../../etl").CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	out, err := exec.Command(etl, "run", "--csv", ".", "--accept", "nonsense").CombinedOutput()
	if err == nil || !strings.Contains(string(out), "there are "+strings.Join(gates, ", ")+"\n") {
		t.Errorf("%v, %s, want the gates %q", err, out, gates)
	}
}

func TestProjectRoot(t *testing.T) {
	want, err := filepath.Abs("../..")
	if err != nil {
		t.Fatal(err)
	}
	if got, err := projectRoot("."); err != nil || got != want {
		t.Errorf("projectRoot(.) = %q, %v, want %q", got, err, want)
	}
	if got, err := projectRoot(t.TempDir()); err == nil || !strings.Contains(err.Error(), "--root") {
		t.Errorf("outside the project: %q, %v", got, err)
	}
}

func TestInstanceReady(t *testing.T) {
	if err := (instance{Admin: listen(t)}).ready(t.Context()); err == nil {
		t.Error("a server that does not respond is ready")
	}
}

// printDirectory is a shell command that prints the data directory of the throwaway cluster.
const printDirectory = `psql "$TEST_DATABASE_URL" -qAtc 'show data_directory'`

// wantGone checks that nothing is left of the cluster whose data directory reveal has printed.
func wantGone(t *testing.T, printed string) {
	t.Helper()
	directory := filepath.Dir(strings.TrimSpace(printed))
	if !strings.Contains(directory, "systemscale-") {
		t.Fatalf("no data directory in %q", printed)
	}
	if _, err := os.Stat(directory); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("%s: %v, want it gone", directory, err)
	}
	processes, _ := filepath.Glob("/proc/[0-9]*/cmdline")
	for _, path := range processes {
		if line, err := os.ReadFile(path); err == nil && strings.Contains(string(line), directory) {
			t.Errorf("still running: %q", line)
		}
	}
}

func TestPostgresReturnsTheExitCode(t *testing.T) {
	for _, test := range []struct {
		script string
		code   int
	}{
		{printDirectory + "; exit 7", 7},
		{printDirectory + "; kill -KILL $$", 128 + 9},
		{printDirectory + ` && psql "$TEST_DATABASE_URL" -qAtc 'create role test'`, 0},
	} {
		out, _, err := call(t, "postgres", "--", "sh", "-c", test.script)
		var code exitCode
		if test.code == 0 && err != nil || test.code != 0 && (!errors.As(err, &code) || int(code) != test.code) {
			t.Errorf("%s: %v, want exit code %d", test.script, err, test.code)
		}
		wantGone(t, out)
	}
	if _, _, err := call(t, "postgres", "--", "/no/such/program"); err == nil || !strings.Contains(err.Error(), "/no/such/program") {
		t.Errorf("a command that does not exist: %v", err)
	}
	if _, _, err := call(t, "postgres", "--"); err == nil {
		t.Error("no command is no error")
	}
}

func TestPostgresForwardsSignals(t *testing.T) {
	directory := t.TempDir()
	log, err := os.Create(filepath.Join(directory, "log"))
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = log.Close() }()
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	command := exec.Command(self, "--root", "../..", "postgres", "--", "sh", "-c",
		"trap 'echo ending; exit 9' TERM; "+printDirectory+`; while :; do sleep 0.05; done`)
	command.Env = append(os.Environ(), "STACK_TEST_RUN_PROGRAM=1")
	command.Stdout, command.Stderr = log, log
	if err := command.Start(); err != nil {
		t.Fatal(err)
	}
	ended := make(chan error, 1)
	go func() { ended <- command.Wait() }()
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	output := func() string {
		text, err := os.ReadFile(log.Name())
		if err != nil {
			t.Fatal(err)
		}
		return string(text)
	}
	for !strings.Contains(output(), "/data\n") {
		select {
		case err := <-ended:
			t.Fatalf("%v: %s", err, output())
		case <-ctx.Done():
			_ = command.Process.Kill()
			t.Fatalf("not started: %s", output())
		case <-time.After(20 * time.Millisecond):
		}
	}
	if err := command.Process.Signal(syscall.SIGTERM); err != nil {
		t.Fatal(err)
	}
	select {
	case <-ended:
	case <-ctx.Done():
		_ = command.Process.Kill()
		t.Fatalf("SIGTERM does not end it: %s", output())
	}
	if code := command.ProcessState.ExitCode(); code != 9 || !strings.Contains(output(), "ending") {
		t.Errorf("exit code %d, want the command's 9: %s", code, output())
	}
	line, _, _ := strings.Cut(output(), "\n")
	wantGone(t, line)
}
