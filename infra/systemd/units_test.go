// Package systemd_test checks the commands, the schedule and the exit codes of the units and of the cron file.
package systemd_test

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// Exit codes of etl: see infra/docs/operations.md.
const (
	exitOK    = 0
	exitFiles = 3
)

func read(t *testing.T, name string) string {
	t.Helper()
	text, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

func write(t *testing.T, path, text string, mode os.FileMode) {
	t.Helper()
	if err := os.WriteFile(path, []byte(text), mode); err != nil {
		t.Fatal(err)
	}
}

// execStart returns the command of a unit as systemd would start it, with name for %i.
func execStart(t *testing.T, unit, name string) string {
	t.Helper()
	_, command, found := strings.Cut(strings.ReplaceAll(unit, "\\\n", ""), "\nExecStart=")
	if !found {
		t.Fatal("the unit has no ExecStart")
	}
	command, _, _ = strings.Cut(command, "\n")
	return strings.NewReplacer("$$", "$", "%i", name, "%%", "%").Replace(command)
}

// cronCommand returns the command of the one line of a cron file, as cron passes it to the shell.
func cronCommand(t *testing.T) string {
	t.Helper()
	var commands []string
	for line := range strings.Lines(read(t, "systemscale-etl.cron")) {
		if fields := strings.Fields(line); len(fields) > 6 && !strings.HasPrefix(line, "#") {
			_, command, found := strings.Cut(line, fields[5])
			if !found || fields[5] != "systemscale-etl" || strings.Contains(strings.ReplaceAll(command, `\%`, ""), "%") {
				t.Errorf("cron would change the command of %q", line)
			}
			commands = append(commands, strings.ReplaceAll(command, `\%`, "%"))
		}
	}
	if len(commands) != 1 {
		t.Fatalf("the cron file has %d commands, want one", len(commands))
	}
	return commands[0]
}

// build compiles a program of this project and returns its path.
func build(t *testing.T, program string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), program)
	if out, err := exec.CommandContext(t.Context(), "go", "build", "-o", path, "../../"+program).CombinedOutput(); err != nil {
		t.Fatalf("build %s: %v\n%s", program, err, out)
	}
	return path
}

// TestNightlyCommandsParse runs etl with the flags of the unit and of the cron file, without a dump.
func TestNightlyCommandsParse(t *testing.T) {
	program := build(t, "etl")
	inCron := cronCommand(t)
	inCron = inCron[strings.Index(inCron, "etl run "):strings.Index(inCron, " 2>&1")]
	for where, command := range map[string]string{
		"the unit":      execStart(t, read(t, "systemscale-etl.service"), ""),
		"the cron file": inCron,
	} {
		words := strings.Fields(strings.NewReplacer(" /srv/", " "+t.TempDir()+"/", " /var/", " "+t.TempDir()+"/").Replace(command))
		if filepath.Base(words[0]) != "etl" {
			t.Errorf("%s starts %q", where, words[0])
		}
		run := exec.CommandContext(t.Context(), program, words[1:]...)
		run.Env = []string{"DATABASE_URL=" + asSystemd(t, read(t, "etl.env"))["DATABASE_URL"]}
		if out, _ := run.CombinedOutput(); run.ProcessState.ExitCode() != exitFiles {
			t.Errorf("%s: %q ends with exit code %d, want %d:\n%s", where, command, run.ProcessState.ExitCode(), exitFiles, out)
		}
	}
}

// TestCronReturnsTheExitCode runs the line of the cron file with another program instead of etl.
func TestCronReturnsTheExitCode(t *testing.T) {
	directory := t.TempDir()
	write(t, filepath.Join(directory, "etl.env"), "DATABASE_URL=secret\n", 0o600)
	for _, want := range []int{exitOK, exitFiles, 22} {
		script := fmt.Sprintf("#!/bin/sh\necho \"the report of $DATABASE_URL\" >&2\nexit %d\n", want)
		write(t, filepath.Join(directory, "etl"), script, 0o700)
		line := strings.Replace(cronCommand(t), "/etc/systemscale/", directory+"/", 1)
		command := exec.CommandContext(t.Context(), "/bin/sh", "-c", line)
		command.Env = []string{"PATH=" + directory + ":/usr/bin:/bin"}
		mail, err := command.CombinedOutput()
		if got := command.ProcessState.ExitCode(); got != want {
			t.Errorf("exit code %d (%v), want %d", got, err, want)
		}
		wantMail := ""
		if want != exitOK {
			wantMail = fmt.Sprintf("the report of secret\n\netl ended with exit code %d\n", want)
		}
		if string(mail) != wantMail {
			t.Errorf("exit code %d: the mail would be %q, want %q", want, mail, wantMail)
		}
	}
}

// TestAlertPriority runs the alert with another program instead of logger.
func TestAlertPriority(t *testing.T) {
	directory := t.TempDir()
	write(t, filepath.Join(directory, "logger"), "#!/bin/sh\necho \"$@\"\n", 0o700)
	script := execStart(t, read(t, "systemscale-etl-alert@.service"), "systemscale-etl.service")
	for status, want := range map[string]string{
		"22":  "--priority daemon.crit --tag systemscale-etl systemscale-etl.service: exit-code, exit code 22. See journalctl -u systemscale-etl.service\n",
		"5":   "--priority daemon.warning --tag systemscale-etl systemscale-etl.service: exit-code, exit code 5. See journalctl -u systemscale-etl.service\n",
		"130": "--priority daemon.warning --tag systemscale-etl systemscale-etl.service: exit-code, exit code 130. See journalctl -u systemscale-etl.service\n",
	} {
		command := exec.CommandContext(t.Context(), "/bin/sh", "-c", script)
		command.Env = []string{"PATH=" + directory + ":/usr/bin:/bin", "MONITOR_SERVICE_RESULT=exit-code", "MONITOR_EXIT_STATUS=" + status}
		if got, err := command.CombinedOutput(); err != nil || string(got) != want {
			t.Errorf("exit code %s: the alert is %q (%v), want %q", status, got, err, want)
		}
	}
}

// analyze runs systemd-analyze in a directory and returns what it prints. If it is not installed, the test is skipped, or fails if
// REQUIRE_DB=1.
func analyze(t *testing.T, directory string, arguments ...string) (string, error) {
	t.Helper()
	path, err := exec.LookPath("systemd-analyze")
	if err != nil {
		if os.Getenv("REQUIRE_DB") == "1" {
			t.Fatalf("%v, but REQUIRE_DB=1 requires it: run ./scripts/task test, or install systemd", err)
		}
		t.Skip(err)
	}
	command := exec.CommandContext(t.Context(), path, arguments...)
	command.Dir = directory
	output, err := command.CombinedOutput()
	return string(output), err
}

// services returns the names of the units of this directory that run a program.
func services(t *testing.T) []string {
	t.Helper()
	found, err := filepath.Glob("*.service")
	if err != nil || len(found) < 4 {
		t.Fatalf("the services are %q, %v", found, err)
	}
	return found
}

// TestUnitsAreConsistent checks the references between units, and verifies the units.
func TestUnitsAreConsistent(t *testing.T) {
	if !strings.Contains(read(t, "systemscale-etl.service"), "\nOnFailure=systemscale-etl-alert@%n.service\n") {
		t.Error("the service does not start the alert when it fails")
	}
	if timer := read(t, "systemscale-etl.timer"); strings.Contains(timer, "\nUnit=") {
		t.Error("the timer names a unit; want none: it starts the service of the same name")
	}
	installed := regexp.MustCompile("/usr/local/bin/[a-z]+")
	directory, arguments := t.TempDir(), []string{"verify"}
	for _, unit := range append(services(t), "systemscale-etl.timer") {
		write(t, filepath.Join(directory, unit), installed.ReplaceAllString(read(t, unit), "/bin/sh"), 0o644) // none is installed here
		arguments = append(arguments, strings.Replace(unit, "@.", "@8081.", 1))
	}
	if output, err := analyze(t, directory, arguments...); err != nil || strings.Contains(output, "systemscale-") {
		t.Errorf("systemd-analyze verify: %v\n%s", err, output)
	}
}

// TestServicesAreHardened checks that no service has an exposure above 2.0 of 10. systemd-analyze counts tenths.
func TestServicesAreHardened(t *testing.T) {
	for _, unit := range services(t) {
		if output, err := analyze(t, ".", "security", "--offline=true", "--no-pager", "--threshold=20", unit); err != nil {
			t.Errorf("%s: %v\n%s", unit, err, output)
		}
	}
}
