package deb_test

import (
	"context"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"systemscale/infra/container"
)

// installScript is the procedure of infra/docs/operations.md, after the package is installed. The database has the examples' password.
const installScript = `
su postgres -c 'psql --quiet --file /usr/share/systemscale/bootstrap.sql'
for role in systemscale_etl systemscale_api; do
    su postgres -c "psql --quiet --command \"alter role $role password 'password'\""
done
su postgres -c 'createdb --owner systemscale_etl systemscale'
(set -a; . /etc/systemscale/etl.env; systemscale-etl migrate)
systemctl start systemscale-etl
systemctl enable --now systemscale-etl.timer systemscale-api@8081 systemscale-api@8082 systemscale-gateway
`

// upgradeScript installs the next version and restarts one instance after the other, while documents that are not in the gateway's cache are
// requested. It fails if a request fails.
const upgradeScript = `
rm -f /stop /failures
(
    number=0
    until [ -e /stop ]; do
        number=$((number + 1))
        curl --silent --fail --output /dev/null "http://127.0.0.1:8080/products?page=$((number % 100 + 1))&count=$((number % 97 + 1))" ||
            echo "request $number: $?" >>/failures
    done
    echo "$number" >/requests
) &
load=$!
dpkg --force-confold --install /package.deb
for port in 8081 8082; do
    before=$(systemctl show --property MainPID --value "systemscale-api@$port")
    [ "$before" -gt 0 ] # the upgrade has not stopped it
    systemctl restart "systemscale-api@$port"
    until curl --silent --fail --output /dev/null "http://127.0.0.1:1$port/ready"; do sleep 0.1; done
    [ "$before" -ne "$(systemctl show --property MainPID --value "systemscale-api@$port")" ]
done
touch /stop
wait "$load"
echo "$(cat /requests) requests"
if [ -e /failures ]; then cat /failures; exit 1; fi
`

// testBoot boots a Debian system with systemd and PostgreSQL, follows the procedures of the page on operations, and boots it again. It has
// a network of its own, so the addresses are those of the examples.
func testBoot(t *testing.T, first string) {
	serialize(t)
	archive, err := container.Base(t.Context(), filepath.Join(root, ".run", "containers"),
		append(slices.Clone(container.Servers), "systemd-sysv", "dbus", "curl")...)
	if err != nil {
		t.Fatal(err)
	}
	s := system(t.TempDir())
	run(t, nil, "tar", "-C", string(s), "-xf", archive)
	run(t, nil, "go", "run", root+"/scripts/generate", "--products", "100", "--seed", "1", "--out", s.path("srv/systemscale/dump"))
	s.run(t, "systemctl", "disable", "nginx")
	s.install(t, first)

	machine := boot(t, s)
	machine.run(t, installScript)
	machine.await(t, "curl --silent --fail http://127.0.0.1:8080/products/1")
	machine.run(t, "systemctl reload systemscale-gateway")
	run(t, nil, "cp", nextVersion(t, first), s.path("package.deb"))
	t.Log(machine.run(t, upgradeScript))
	machine.powerOff(t)

	machine = boot(t, s)
	machine.await(t, "curl --silent --fail http://127.0.0.1:8080/products/1")
	if failed := machine.run(t, "systemctl list-units --failed --no-legend 'systemscale*'"); failed != "" {
		t.Errorf("failed units: %s", failed)
	}
	machine.run(t, "dpkg --purge systemscale")
	left := machine.run(t, "systemctl list-units --no-legend 'systemscale*'; ls -d /etc/systemscale 2>/dev/null || true; grep -l nginx /proc/[0-9]*/comm || true")
	if left != "" {
		t.Errorf("after the purge there is still\n%s", left)
	}
	machine.powerOff(t)
}

// serialize waits until no other process runs this test: two systems would share a control group.
func serialize(t *testing.T) {
	t.Helper()
	file, err := os.OpenFile("/var/tmp/systemscale-nspawn.lock", os.O_RDWR|os.O_CREATE|syscall.O_NOFOLLOW, 0o600)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = file.Close() })
	if err := syscall.Flock(int(file.Fd()), syscall.LOCK_EX); err != nil {
		t.Fatal(err)
	}
}

// machine is a booted system: the pid of its first process and that of systemd-nspawn, which ends with it.
type machine struct {
	first  string
	nspawn *exec.Cmd
}

// boot boots a system and waits until all its units are started. It is killed when the test ends.
func boot(t *testing.T, s system) machine {
	t.Helper()
	arguments := []string{"--quiet", "--directory=" + string(s), "--boot", "--private-network", "--register=no", "--console=pipe"}
	if _, err := os.Stat("/run/systemd/system"); err != nil {
		arguments = append(arguments, "--keep-unit") // no systemd could make a unit
	}
	command := exec.Command("systemd-nspawn", arguments...)
	command.SysProcAttr = &syscall.SysProcAttr{Setpgid: true, Pdeathsig: syscall.SIGKILL}
	var log strings.Builder
	command.Stdout, command.Stderr = &log, &log
	if err := command.Start(); err != nil {
		t.Fatal(err)
	}
	m := machine{nspawn: command}
	t.Cleanup(func() {
		// If it still runs: without its first process, no other one of the system survives.
		if pid, err := strconv.Atoi(m.first); err == nil && command.ProcessState == nil {
			_ = syscall.Kill(pid, syscall.SIGKILL)
		} else {
			_ = command.Process.Kill()
		}
		_ = command.Wait()
		if t.Failed() {
			t.Log(log.String())
		}
	})
	await(t, func() error {
		pid := strconv.Itoa(command.Process.Pid)
		children, err := os.ReadFile(filepath.Join("/proc", pid, "task", pid, "children"))
		m.first = strings.TrimSpace(string(children))
		if err == nil && m.first == "" {
			err = errors.New("systemd-nspawn has no child")
		}
		if err == nil {
			_, err = m.try(t.Context(), "systemctl is-system-running --wait")
		}
		return err
	})
	return m
}

// try runs a script in the machine.
func (m machine) try(ctx context.Context, script string) (string, error) {
	command := exec.CommandContext(ctx, "nsenter", "--target", m.first, "--mount", "--uts", "--ipc", "--net", "--pid", "--root", "--wd",
		"/bin/sh", "-eu", "-c", script)
	command.Env = []string{"PATH=/usr/sbin:/usr/bin:/sbin:/bin", "LC_ALL=C", "DEBIAN_FRONTEND=noninteractive"}
	out, err := command.CombinedOutput()
	return string(out), err
}

func (m machine) run(t *testing.T, script string) string {
	t.Helper()
	out, err := m.try(t.Context(), script)
	if err != nil {
		journal, _ := m.try(t.Context(), "journalctl --no-pager --lines 50 --unit 'systemscale*'")
		t.Fatalf("%s: %v\n%s\n%s", script, err, out, journal)
	}
	return out
}

// await polls until a script succeeds.
func (m machine) await(t *testing.T, script string) {
	t.Helper()
	await(t, func() error {
		out, err := m.try(t.Context(), script)
		if err != nil {
			return errors.New(script + ": " + err.Error() + " " + out)
		}
		return nil
	})
}

// powerOff shuts the machine down and waits until it is off.
func (m machine) powerOff(t *testing.T) {
	t.Helper()
	_, _ = m.try(t.Context(), "systemctl poweroff") // the connection may break
	ended := make(chan error, 1)
	go func() { ended <- m.nspawn.Wait() }()
	select {
	case err := <-ended:
		if err != nil {
			t.Errorf("systemd-nspawn: %v", err)
		}
	case <-time.After(2 * time.Minute):
		t.Fatal("the system does not power off")
	}
}
