package program

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"strings"
)

// Need is a program to install, with the names of its packages.
type Need struct {
	Find func() error // nil if present; the error names the missing program
	Apt  []string
	Brew []string
}

// The needs of the stack and its tests beside Go, git and a shell.
var (
	NeedPostgres = Need{
		Find: func() error { _, err := FindPostgres(0); return err },
		Apt:  []string{"postgresql"}, Brew: []string{"postgresql@17"},
	}
	NeedNGINX = Need{
		Find: func() error { _, err := FindNGINX(); return err },
		Apt:  []string{"nginx"}, Brew: []string{"nginx"},
	}
	NeedShellcheck = Need{
		Find: func() error { _, err := FindInPath("shellcheck"); return err },
		Apt:  []string{"shellcheck"}, Brew: []string{"shellcheck"},
	}
	// NeedCompiler is for the race detector, which is written in C.
	NeedCompiler = Need{
		Find: func() error { _, err := FindInPath("cc", "gcc", "clang"); return err },
		Apt:  []string{"gcc", "libc6-dev"}, Brew: []string{"gcc"},
	}
	// NeedNode is for the pages and their tests. Debian's is new enough from 13 on; for older systems there are packages at nodejs.org.
	NeedNode = Need{
		Find: func() error { _, err := FindNode(); return err },
		Apt:  []string{"nodejs", "npm"}, Brew: []string{"node"},
	}
	NeedChromium = Need{
		Find: func() error { _, err := FindChromium(); return err },
		Apt:  []string{"chromium"}, Brew: []string{"chromium"},
	}
	// NeedPgBouncer is for the tests of connection poolers.
	NeedPgBouncer = Need{
		Find: func() error { _, err := FindInPath("pgbouncer", "/usr/sbin/pgbouncer"); return err },
		Apt:  []string{"pgbouncer"}, Brew: []string{"pgbouncer"},
	}
	// NeedRedis is for the document cache in Redis.
	NeedRedis = Need{
		Find: func() error { _, err := FindRedis(); return err },
		Apt:  []string{"redis-server"}, Brew: []string{"redis"},
	}
	// NeedFaketime is for the tests in which a clock is set back.
	NeedFaketime = Need{
		Find: func() error { _, err := FindFaketime(); return err },
		Apt:  []string{"libfaketime"}, Brew: []string{"libfaketime"},
	}
	// NeedPodman is for the tests that run containers, on Linux and as root.
	NeedPodman = Need{
		Find: FindPodman,
		Apt: []string{
			"podman", "buildah", "runc", "netavark", "aardvark-dns", "iptables", "catatonit", "podman-compose", "mmdebstrap",
			"debian-archive-keyring", // for mmdebstrap on Ubuntu
		},
	}
	// NeedPatroni is for the tests of failover, on Linux: Patroni, and etcd, in which its nodes agree on the primary.
	NeedPatroni = Need{
		Find: func() error { _, err := FindPatroni(); return err },
		Apt:  []string{"patroni", "etcd-server"},
	}
	NeedWrk = Need{
		Find: func() error { _, err := FindInPath("wrk"); return err },
		Apt:  []string{"wrk"}, Brew: []string{"wrk"},
	}
	// NeedPrometheus is for the tests of the alert rules and of the dashboard. Its package has promtool too.
	NeedPrometheus = Need{
		Find: func() error { _, err := FindInPath("prometheus"); return err },
		Apt:  []string{"prometheus"}, Brew: []string{"prometheus"},
	}
	// NeedSystemd is for the tests of the units. It exists on Linux only, and need not run.
	NeedSystemd = Need{
		Find: func() error { _, err := FindInPath("systemd-analyze"); return err },
		Apt:  []string{"systemd"},
	}
	// NeedNspawn is for the tests that boot a system with systemd. It exists on Linux only.
	NeedNspawn = Need{
		Find: func() error { _, err := FindInPath("systemd-nspawn"); return err },
		Apt:  []string{"systemd-container"},
	}
	// NeedNodeExporter is for the metrics of the ETL, which reach Prometheus through a file.
	NeedNodeExporter = Need{
		Find: func() error { _, err := FindNodeExporter(); return err },
		Apt:  []string{"prometheus-node-exporter"}, Brew: []string{"node_exporter"},
	}
)

// Installer installs packages with the machine's package manager.
type Installer struct {
	In          io.Reader // for the user's answer
	Out         io.Writer // for the question and the package manager's output
	Interactive bool      // In and Out are a terminal
	// Privileged installs the packages with apt-get through sudo. It is called when this process is not root.
	Privileged func(ctx context.Context, packages []string) error
}

// Ensure installs the missing needs. On a terminal it prompts first. Without one it installs only as root with apt-get,
// and otherwise returns an error that names the missing programs and the command that installs them.
func (i Installer) Ensure(ctx context.Context, needs ...Need) error {
	missing, problems := missingOf(needs)
	if len(missing) == 0 {
		return nil
	}
	manager := detectManager()
	packages := manager.packages(missing)
	if manager.name == "" {
		return fmt.Errorf("%w\ninstall it with this machine's package manager and try again", problems)
	}
	byHand := fmt.Errorf("%w\ninstall it and try again: %s", problems, manager.command(packages))
	switch {
	case i.Interactive:
		if !i.confirm(fmt.Sprintf("Install %s with %s?", strings.Join(packages, ", "), manager.name)) {
			return byHand
		}
	case manager.name == "apt-get" && os.Geteuid() == 0:
		fmt.Fprintf(i.Out, "installing %s with apt-get\n", strings.Join(packages, ", "))
	default:
		return byHand
	}
	if err := i.install(ctx, manager, packages); err != nil {
		return err
	}
	if still, problems := missingOf(missing); len(still) > 0 {
		return fmt.Errorf("%w\n%s has installed %s, but the programs are still missing", problems, manager.name, strings.Join(packages, ", "))
	}
	return nil
}

func missingOf(needs []Need) (missing []Need, problems error) {
	var errs []error
	for _, need := range needs {
		if err := need.Find(); err != nil {
			missing = append(missing, need)
			errs = append(errs, err)
		}
	}
	return missing, errors.Join(errs...)
}

func (i Installer) confirm(question string) bool {
	fmt.Fprintf(i.Out, "%s [Y/n] ", question)
	line, err := bufio.NewReader(i.In).ReadString('\n')
	if err != nil {
		return false
	}
	answer := strings.ToLower(strings.TrimSpace(line))
	return answer == "" || answer == "y" || answer == "yes"
}

func (i Installer) install(ctx context.Context, manager manager, packages []string) error {
	switch {
	case manager.name == "brew":
		return runTo(ctx, i.Out, nil, "brew", append([]string{"install"}, packages...)...)
	case os.Geteuid() == 0:
		return AptInstall(ctx, i.Out, packages)
	default:
		return i.Privileged(ctx, packages)
	}
}

type manager struct{ name string }

// detectManager returns the machine's package manager, or one without a name.
func detectManager() manager {
	for _, name := range []string{"apt-get", "brew"} {
		if _, err := exec.LookPath(name); err == nil {
			return manager{name}
		}
	}
	return manager{}
}

func (m manager) packages(needs []Need) []string {
	var packages []string
	for _, need := range needs {
		if m.name == "brew" {
			packages = append(packages, need.Brew...)
		} else {
			packages = append(packages, need.Apt...)
		}
	}
	return packages
}

func (m manager) command(packages []string) string {
	list := strings.Join(packages, " ")
	switch {
	case m.name == "brew":
		return "brew install " + list
	case os.Geteuid() == 0:
		return "apt-get install " + list
	default:
		return "sudo apt-get install " + list
	}
}

func runTo(ctx context.Context, out io.Writer, env []string, name string, args ...string) error {
	command := exec.CommandContext(ctx, name, args...)
	command.Env = append(os.Environ(), env...)
	command.Stdout, command.Stderr = out, out
	command.Cancel = func() error { return command.Process.Signal(os.Interrupt) }
	if err := command.Run(); err != nil {
		return fmt.Errorf("%s %s: %w", name, strings.Join(args, " "), err)
	}
	return nil
}
