// Package process starts daemons, recognizes them later and stops them.
//
// A daemon has its own session and writes to a log file. It outlives the program that started it
// unless it is tied to it. It is known by its pid together with the time it started, because the kernel reuses pids:
// another process with the same pid is never signaled.
package process

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"time"
)

// pollEvery is the polling interval of waits. It is short because users wait for them.
const pollEvery = 20 * time.Millisecond

// Identity distinguishes a process from all others that ever had its pid. The zero value is no process.
type Identity struct {
	PID     int    `json:"pid"`
	Started string `json:"started"` // opaque; compare for equality only
}

// Alive reports whether the process still runs. One that has ended and only waits to be collected
// by its parent does not.
func (i Identity) Alive() bool {
	if i.PID <= 0 {
		return false
	}
	started, err := startTime(i.PID)
	return err == nil && started == i.Started
}

// Of returns the identity of the process that has the pid now.
func Of(pid int) (Identity, error) {
	started, err := startTime(pid)
	if err != nil {
		return Identity{}, err
	}
	return Identity{PID: pid, Started: started}, nil
}

// Daemon is the configuration of a daemon.
type Daemon struct {
	Name    string   // for messages, such as "nginx"
	Path    string   // the program
	Args    []string // without the program's name
	Env     []string // added to Account.Environment
	Dir     string   // working directory; it must be reachable for Account
	Log     string   // file for stdout and stderr; an older one is kept as Log + ".old"
	Account *Account // nil: the account of this process
	Tied    bool     // the system ends the daemon with SIGTERM when this process ends, however it ends; on Linux only
}

// Running is a daemon that this process has started.
type Running struct {
	Identity
	exited chan struct{}
	err    error
	daemon Daemon
}

// Start starts the daemon in a new session, so that the terminal's Ctrl-C does not reach it.
// It does not wait until the daemon is ready: see Await.
func (d Daemon) Start() (*Running, error) {
	if err := os.Rename(d.Log, d.Log+".old"); err != nil && !errors.Is(err, os.ErrNotExist) {
		return nil, fmt.Errorf("keep the earlier log of %s: %w", d.Name, err)
	}
	log, err := os.OpenFile(d.Log, os.O_CREATE|os.O_WRONLY|os.O_APPEND, 0o644)
	if err != nil {
		return nil, fmt.Errorf("open the log of %s: %w", d.Name, err)
	}
	defer func() { _ = log.Close() }()

	command := exec.Command(d.Path, d.Args...)
	command.Env = append(d.Account.Environment(), d.Env...)
	command.Dir = d.Dir
	command.Stdout, command.Stderr = log, log
	command.SysProcAttr = &syscall.SysProcAttr{Setsid: true, Credential: d.Account.credential()}
	start := command.Start
	if d.Tied {
		start = func() error { return startTied(command) }
	}
	if err := start(); err != nil {
		return nil, fmt.Errorf("start %s: %w", d.Name, err)
	}
	running := &Running{exited: make(chan struct{}), daemon: d}
	// Read before anything waits for the process: until then the kernel cannot reuse its pid.
	running.Identity, err = Of(command.Process.Pid)
	go func() {
		running.err = command.Wait()
		close(running.exited)
	}()
	if err != nil {
		return nil, fmt.Errorf("start %s: it ended immediately%s", d.Name, LogTail(d.Log))
	}
	return running, nil
}

// Await calls ready until it returns nil, the daemon ends, the limit passes or ctx is done. Unless ready
// returned nil the error carries the end of the daemon's log.
func (r *Running) Await(ctx context.Context, limit time.Duration, ready func(context.Context) error) error {
	ctx, cancel := context.WithTimeoutCause(ctx, limit, fmt.Errorf("not ready after %s", limit))
	defer cancel()
	tick := time.NewTicker(pollEvery)
	defer tick.Stop()
	for {
		err := ready(ctx)
		if err == nil {
			return nil
		}
		select {
		case <-r.exited:
			return fmt.Errorf("%s ended before it was ready: %w%s", r.daemon.Name, r.exitError(), LogTail(r.daemon.Log))
		case <-ctx.Done():
			return fmt.Errorf("wait for %s: %w (last: %w)%s", r.daemon.Name, context.Cause(ctx), err, LogTail(r.daemon.Log))
		case <-tick.C:
		}
	}
}

func (r *Running) exitError() error {
	if r.err == nil {
		return errors.New("exit status 0")
	}
	return r.err
}

// ErrStillRunning is returned by Stop if the process outlived the limit.
var ErrStillRunning = errors.New("still running")

// Stop sends the signal and waits until the process has ended. A process that has ended already is no
// error. It never sends a second signal: the caller handles ErrStillRunning.
func Stop(ctx context.Context, identity Identity, signal syscall.Signal, limit time.Duration) error {
	if identity.PID <= 0 {
		return nil
	}
	// On Linux this holds the process itself and not its number, so that the check below and the
	// signal mean the same process.
	handle, err := os.FindProcess(identity.PID)
	if err != nil {
		return nil
	}
	defer func() { _ = handle.Release() }()
	if !identity.Alive() {
		return nil
	}
	if err := handle.Signal(signal); err != nil && !errors.Is(err, os.ErrProcessDone) {
		return fmt.Errorf("signal process %d: %w", identity.PID, err)
	}
	ctx, cancel := context.WithTimeout(ctx, limit)
	defer cancel()
	tick := time.NewTicker(pollEvery)
	defer tick.Stop()
	for identity.Alive() {
		select {
		case <-ctx.Done():
			return fmt.Errorf("process %d: %w after %s", identity.PID, ErrStillRunning, limit)
		case <-tick.C:
		}
	}
	return nil
}

// StopRemnants kills the remaining processes of a daemon that was killed: NGINX's workers, for example, continue to serve without
// their master. While the daemon itself runs, StopRemnants does nothing.
func StopRemnants(ctx context.Context, daemon Identity) error {
	var errs []error
	for _, left := range remnants(daemon) {
		errs = append(errs, Stop(ctx, left, syscall.SIGKILL, 5*time.Second))
	}
	return errors.Join(errs...)
}

// tailBytes is enough for the last screenful of a log.
const tailBytes = 2000

// LogTail returns the end of a log as an indented block that begins with a line naming the file, for the
// end of an error message. It is empty when there is nothing to show.
func LogTail(path string) string {
	text, err := os.ReadFile(path)
	if err != nil || len(strings.TrimSpace(string(text))) == 0 {
		return ""
	}
	if len(text) > tailBytes {
		text = text[len(text)-tailBytes:]
		if _, whole, found := strings.Cut(string(text), "\n"); found {
			text = []byte(whole)
		}
	}
	lines := strings.Split(strings.TrimRight(string(text), "\n"), "\n")
	return fmt.Sprintf("\n  the end of %s:\n    %s", filepath.Clean(path), strings.Join(lines, "\n    "))
}
