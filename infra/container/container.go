// Package container runs containers in tests, with a podman that has nothing in common with the one of the machine: its own images,
// containers, volumes, networks and name service, all removed in the end. It needs no image registry, no systemd, and no limits above those of this
// process. It needs root.
package container

import (
	"bytes"
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

// Podman is a podman with a directory of its own. Its methods are safe for concurrent use.
type Podman struct {
	directory string
	machine   *os.File // see claimMachine
	room      *room
}

// prefix begins the names of the directories.
const prefix = "systemscale-podman-"

// Open returns a podman whose files are in a new directory under parent, which is /var/tmp if empty: it must not be in memory. It waits
// while another process has one, because containers share the machine's bridges and addresses. The caller must call Close. What a killed
// process has left is removed.
func Open(ctx context.Context, parent string) (*Podman, error) {
	if os.Geteuid() != 0 {
		return nil, errors.New("podman's networks and limits need root")
	}
	machine, err := claimMachine(ctx)
	if err != nil {
		return nil, err
	}
	if parent == "" {
		parent = "/var/tmp"
	}
	directory, err := os.MkdirTemp(parent, prefix)
	if err != nil {
		return nil, errors.Join(fmt.Errorf("create the directory of podman: %w", err), machine.Close())
	}
	if err := note(machine, directory); err != nil {
		return nil, errors.Join(err, os.RemoveAll(directory), machine.Close())
	}
	p, err := enter(directory)
	if err != nil {
		return nil, errors.Join(err, os.RemoveAll(directory), machine.Close())
	}
	p.machine = machine
	if err := p.configure(ctx); err != nil {
		return nil, errors.Join(err, p.Close())
	}
	return p, nil
}

// enter returns the podman of a directory, without a claim.
func enter(directory string) (*Podman, error) {
	room, err := openRoom()
	if err != nil {
		return nil, err
	}
	return &Podman{directory: directory, room: room}, nil
}

// configure writes the configuration that Command passes on.
func (p *Podman) configure(ctx context.Context) error {
	for name, text := range map[string]string{
		// podman's defaults are crun, which needs version 2 of cgroups, systemd, and limits that root may not have in a container. Locks
		// in shared memory would be those of the machine's podman.
		"containers.conf": fmt.Sprintf(`[containers]
default_ulimits = ["nofile=1024:1024", "nproc=1024:1024"]
log_driver = "k8s-file"
[engine]
runtime = "runc"
cgroup_manager = "cgroupfs"
events_logger = "file"
lock_type = "file"
tmp_dir = %q
[network]
network_backend = "netavark"
network_config_dir = %q
`, p.path("tmp"), p.path("networks")),
		"storage.conf": p.storage("overlay"),
		// No image comes from elsewhere: a name that is unknown here is an error at once.
		"registries.conf": "unqualified-search-registries = []\n",
		"policy.json":     `{"default": [{"type": "insecureAcceptAnything"}]}`,
	} {
		if err := os.WriteFile(p.path(name), []byte(text), 0o600); err != nil {
			return fmt.Errorf("configure podman: %w", err)
		}
	}
	if _, err := p.Output(ctx, "info"); err == nil {
		return nil
	}
	// The file system is an overlay itself. This driver copies a whole image for each container.
	if err := os.WriteFile(p.path("storage.conf"), []byte(p.storage("vfs")), 0o600); err != nil {
		return fmt.Errorf("configure podman: %w", err)
	}
	if err := p.removeStorage(ctx); err != nil {
		return err
	}
	_, err := p.Output(ctx, "info")
	return err
}

func (p *Podman) storage(driver string) string {
	return fmt.Sprintf("[storage]\ndriver = %q\ngraphroot = %q\nrunroot = %q\n", driver, p.path("storage"), p.path("run"))
}

func (p *Podman) path(name string) string { return filepath.Join(p.directory, name) }

// Command returns a command that runs this podman in the present directory, not started. Its group of processes ends with ctx. Its Dir has
// no effect.
func (p *Podman) Command(ctx context.Context, arguments ...string) *exec.Cmd {
	return p.Program(ctx, "podman", arguments...)
}

// Program returns the command of a program that runs podman or reads its storage, such as podman-compose or buildah, like Command.
func (p *Podman) Program(ctx context.Context, name string, arguments ...string) *exec.Cmd {
	command := p.room.command(ctx, name, arguments...)
	command.Env = append(os.Environ(), p.environment()...)
	command.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	command.Cancel = func() error { return syscall.Kill(-command.Process.Pid, syscall.SIGTERM) }
	command.WaitDelay = 10 * time.Second
	return command
}

// environment returns the variables that make podman and buildah use this one's storage.
func (p *Podman) environment() []string {
	return []string{
		"CONTAINERS_CONF=" + p.path("containers.conf"), "CONTAINERS_STORAGE_CONF=" + p.path("storage.conf"),
		"CONTAINERS_REGISTRIES_CONF=" + p.path("registries.conf"),
		// Without systemd there is nothing that repeats health checks: podman healthcheck run makes one.
		"DISABLE_HC_SYSTEMD=true",
	}
}

// Output runs podman and returns its standard output without the last line break. The error contains what podman reported.
func (p *Podman) Output(ctx context.Context, arguments ...string) (string, error) {
	command := p.Command(ctx, arguments...)
	var problems bytes.Buffer
	command.Stderr = &problems
	out, err := command.Output()
	if err != nil {
		return "", fmt.Errorf("podman %s: %w\n%s", strings.Join(arguments, " "), err, problems.Bytes())
	}
	return strings.TrimSuffix(string(out), "\n"), nil
}

// Import makes an image of the files in a tar archive, such as one of Base.
func (p *Podman) Import(ctx context.Context, archive, name string) error {
	_, err := p.Output(ctx, "import", archive, name)
	return err
}

// Close ends all containers, removes them with their networks and volumes, and removes the directory.
func (p *Podman) Close() error {
	return errors.Join(p.remove(), p.machine.Truncate(0), p.machine.Close())
}

// remove removes everything but the claim.
func (p *Podman) remove() error {
	ctx, cancel := context.WithTimeout(context.Background(), 2*time.Minute)
	defer cancel()
	var problems error
	for _, arguments := range [][]string{
		{"pod", "rm", "--all", "--force", "--time", "0"},
		{"rm", "--all", "--force", "--time", "0"},
		{"network", "prune", "--force"},
	} {
		_, err := p.Output(ctx, arguments...)
		problems = errors.Join(problems, err)
	}
	return errors.Join(problems, p.removeStorage(ctx), p.room.close(), os.RemoveAll(p.directory))
}

// removeStorage removes images, containers and volumes. podman leaves a mount behind, which prevents it.
func (p *Podman) removeStorage(ctx context.Context) error {
	const unmount = `awk -v directory="$1/" 'index($2, directory) == 1 {print $2}' /proc/self/mounts | xargs --no-run-if-empty umount --lazy`
	if out, err := p.Program(ctx, "sh", "-c", unmount, "sh", p.directory).CombinedOutput(); err != nil {
		return fmt.Errorf("unmount podman's storage: %w\n%s", err, out)
	}
	for _, name := range []string{"storage", "run", "tmp"} {
		if err := os.RemoveAll(p.path(name)); err != nil {
			return fmt.Errorf("remove podman's files: %w", err)
		}
	}
	return nil
}
