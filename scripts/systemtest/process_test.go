package systemtest

import (
	"context"
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/goccy/go-json"
	"github.com/jackc/pgx/v5"

	"systemscale/infra/nginx"
	"systemscale/infra/postgres"
	"systemscale/infra/process"
	"systemscale/sql"
)

// owned is a process that replaces one of the stack's. As its parent, the test gets its exit status.
type owned struct {
	*exec.Cmd
	t      *testing.T
	exited chan struct{}
	err    error // of Wait, once exited is closed
}

// own starts a command with a log in the stack's directory. When t ends, the command gets the signal last.
func (s *stack) own(t *testing.T, command *exec.Cmd, log string, last syscall.Signal) *owned {
	t.Helper()
	file, err := os.OpenFile(filepath.Join(s.state, "log", log), os.O_CREATE|os.O_WRONLY|os.O_APPEND, 0o644)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = file.Close() }()
	command.Stdout, command.Stderr = file, file
	if err := command.Start(); err != nil {
		t.Fatal(err)
	}
	o := &owned{Cmd: command, t: t, exited: make(chan struct{})}
	go func() {
		o.err = command.Wait()
		close(o.exited)
	}()
	t.Cleanup(func() {
		_ = command.Process.Signal(last)
		_ = o.await()
	})
	return o
}

func (o *owned) signal(signal syscall.Signal) {
	o.t.Helper()
	if err := o.Process.Signal(signal); err != nil {
		o.t.Fatal(err)
	}
}

// await waits for the end of the process and returns the error of Wait.
func (o *owned) await() error {
	o.t.Helper()
	select {
	case <-o.exited:
		return o.err
	case <-time.After(30 * time.Second):
		o.t.Error("the process does not end")
		_ = o.Process.Kill()
		<-o.exited
		return o.err
	}
}

// instances are API instances that replace those of the stack.
type instances struct {
	*stack
	t       *testing.T
	args    []string // in addition to those of the stack
	running []*owned
}

// takeInstances replaces both instances in turn.
func (s *stack) takeInstances(t *testing.T, args ...string) *instances {
	t.Helper()
	taken := &instances{stack: s, t: t, args: args}
	for i, instance := range pids(t, s).Instances {
		if err := syscall.Kill(instance.Process.PID, syscall.SIGTERM); err != nil {
			t.Fatal(err)
		}
		eventually(t, "the stack's instance ends", func() bool { return !alive(instance.Process.PID) })
		taken.running = append(taken.running, nil)
		taken.start(i)
	}
	return taken
}

// start starts instance i on its former addresses and waits until it is ready.
func (s *instances) start(i int) {
	s.t.Helper()
	at := pids(s.t, s.stack).Instances[i]
	command := exec.Command(filepath.Join(s.state, "bin", "api"), append([]string{
		"--listen", "unix:" + at.Socket,
		"--listen", fmt.Sprintf("127.0.0.1:%d", at.Port), "--admin", fmt.Sprintf("127.0.0.1:%d", at.Admin),
	}, s.args...)...)
	account, err := process.Unprivileged(nginx.Accounts...) // as the stack does
	if err != nil {
		s.t.Fatal(err)
	}
	command.SysProcAttr, command.Dir = account.Attributes(), "/"
	command.Env = append(account.Environment(), "DATABASE_URL="+s.env["API_DATABASE_URL"], "GOMAXPROCS=1")
	s.running[i] = s.own(s.t, command, fmt.Sprintf("test-api-%d.log", i+1), syscall.SIGKILL)
	eventually(s.t, "the instance is ready", func() bool {
		got, err := request(s.t.Context(), http.MethodGet, fmt.Sprintf("http://127.0.0.1:%d/ready", at.Admin))
		return err == nil && got.status == http.StatusOK
	})
}

// postgresServer stops and starts the stack's Postgres.
type postgresServer struct {
	*stack
	t       *testing.T
	running *owned // nil while the stack's own server runs
}

// end sends a signal to the postmaster and waits for its end.
func (s *postgresServer) end(signal syscall.Signal) {
	s.t.Helper()
	if s.running != nil {
		s.running.signal(signal)
		_ = s.running.await()
		return
	}
	pid := pids(s.t, s.stack).Postgres.Process.PID
	if err := syscall.Kill(pid, signal); err != nil {
		s.t.Fatal(err)
	}
	eventually(s.t, "Postgres ends", func() bool { return !exists(pid) })
}

// exists reports whether a process exists. A zombie counts: Postgres does not start while the pid in its lock file exists.
func exists(pid int) bool { return syscall.Kill(pid, 0) == nil }

// start starts the server and returns when it accepts the API's connections. It retries, because after a kill the orphaned backends may
// still use the shared memory.
func (s *postgresServer) start() (accepts time.Time) {
	s.t.Helper()
	account, err := process.Unprivileged(postgres.Accounts...)
	if err != nil {
		s.t.Fatal(err)
	}
	for deadline := time.Now().Add(30 * time.Second); time.Now().Before(deadline); {
		command := exec.Command(filepath.Join(s.env["POSTGRES_BIN"], "postgres"), postgres.Arguments(s.env["POSTGRES_DIRECTORY"])...)
		command.Dir = s.env["POSTGRES_DIRECTORY"]
		command.SysProcAttr, command.Env = account.Attributes(), account.Environment()
		s.running = s.own(s.t, command, "test-postgres.log", syscall.SIGINT)
		for ended := false; !ended; {
			if conn, err := pgx.Connect(s.t.Context(), s.env["API_DATABASE_URL"]); err == nil {
				accepts = time.Now()
				_ = conn.Close(context.Background())
				return accepts
			}
			select {
			case <-s.running.exited:
				ended = true
			case <-time.After(5 * time.Millisecond):
			}
		}
	}
	s.t.Fatal("Postgres does not start")
	return accepts
}

// lock blocks all reads of an endpoint of the live version until unlock is called.
func (s *stack) lock(t *testing.T, collection, document string) (unlock func()) {
	t.Helper()
	ctx := t.Context()
	conn, err := pgx.Connect(ctx, s.env["DATABASE_URL"])
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = conn.Close(context.Background()) })
	var generation int64
	if err = conn.QueryRow(ctx, "select generation from catalog.version where collection = $1", collection).Scan(&generation); err != nil {
		t.Fatal(err)
	}
	transaction, err := conn.Begin(ctx)
	if err == nil {
		table := "catalog." + sql.DocumentTable(collection, document, generation)
		_, err = transaction.Exec(ctx, "lock table "+table+" in access exclusive mode")
	}
	if err != nil {
		t.Fatal(err)
	}
	return func() { _ = transaction.Rollback(ctx) }
}

// running is the part of .run/state.json about the servers.
type running struct {
	Postgres struct {
		Process struct {
			PID int `json:"pid"`
		} `json:"process"`
	} `json:"postgres"`
	Instances []struct {
		Process struct {
			PID int `json:"pid"`
		} `json:"process"`
		Socket string `json:"socket"`
		Port   int    `json:"port"`
		Admin  int    `json:"admin"`
	} `json:"instances"`
	Gateway struct {
		Process struct {
			PID int `json:"pid"`
		} `json:"process"`
	} `json:"gateway"`
	Redis struct {
		Process struct {
			PID int `json:"pid"`
		} `json:"process"`
	} `json:"redis"`
}

func pids(t *testing.T, s *stack) running {
	t.Helper()
	return readRunning(t, s.state)
}

func readRunning(t *testing.T, state string) running {
	t.Helper()
	text, err := os.ReadFile(filepath.Join(state, "state.json"))
	if err != nil {
		t.Fatal(err)
	}
	var r running
	if err := json.Unmarshal(text, &r); err != nil {
		t.Fatal(err)
	}
	if len(r.Instances) != 2 || r.Gateway.Process.PID == 0 {
		t.Fatalf("state.json does not contain two instances and a gateway: %s", text)
	}
	for i := range r.Instances { // paths below .run are relative
		if socket := &r.Instances[i].Socket; !filepath.IsAbs(*socket) {
			*socket = filepath.Join(state, *socket)
		}
	}
	return r
}

func processes(t *testing.T, s *stack) string { return fmt.Sprintf("%+v", pids(t, s)) }

func alive(pid int) bool {
	// A zombie does not run.
	stat, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		return syscall.Kill(pid, 0) == nil
	}
	_, rest, _ := strings.Cut(string(stat), ") ")
	return !strings.HasPrefix(rest, "Z")
}
