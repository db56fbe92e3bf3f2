package deb_test

import (
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"regexp"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"systemscale/infra/port/porttest"
)

// testStart starts the API and the gateway as their units do: with the command, the user, the directory and the example configuration of the
// package, except for the addresses. There is no database, so the gateway passes on the API's 503.
func testStart(t *testing.T, s system) {
	public, admin, listen, refresh := porttest.Address(t), porttest.Address(t), porttest.Address(t), porttest.Address(t)
	replace := strings.NewReplacer("127.0.0.1:8081", public, "127.0.0.1:18081", admin, "0.0.0.0:8080", listen, "127.0.0.1:8281", refresh,
		"localhost:5432", "127.0.0.1:1")
	s.start(t, "systemscale-api@.service", "8081", replace)
	await(t, func() error { return status("http://"+admin+"/live", http.StatusOK) })
	s.start(t, "systemscale-gateway.service", "", replace)
	await(t, func() error { return status("http://"+refresh+"/status", http.StatusOK) })
	await(t, func() error { return status("http://"+listen+"/things/1", http.StatusServiceUnavailable) })
}

func status(url string, want int) error {
	response, err := (&http.Client{Timeout: 10 * time.Second}).Get(url)
	if err != nil {
		return err
	}
	_ = response.Body.Close()
	if response.StatusCode != want {
		return fmt.Errorf("%s: %s, want %d", url, response.Status, want)
	}
	return nil
}

// setting returns the value of a setting of a unit.
func setting(t *testing.T, unit, name string) string {
	t.Helper()
	found := regexp.MustCompile(`(?m)^` + name + `=(.*)$`).FindStringSubmatch(unit)
	if found == nil {
		t.Fatalf("the unit has no %s", name)
	}
	return found[1]
}

// start starts the command of an installed unit, with another name for addresses, and stops it when the test ends.
func (s system) start(t *testing.T, name, instance string, replace *strings.Replacer) {
	t.Helper()
	unit := strings.ReplaceAll(s.read(t, "usr/lib/systemd/system/"+name), "\\\n", "")
	unit = strings.ReplaceAll(unit, "%i", instance)
	account := setting(t, unit, "User")
	entry := regexp.MustCompile(`(?m)^` + account + `:x:(\d+):(\d+):`).FindStringSubmatch(s.read(t, "etc/passwd"))
	if entry == nil {
		t.Fatalf("there is no user %s", account)
	}
	uid, gid := number(t, entry[1]), number(t, entry[2])
	mode, err := strconv.ParseUint(setting(t, unit, "RuntimeDirectoryMode"), 8, 32)
	if err != nil {
		t.Fatal(err)
	}
	directory := s.path("run/" + setting(t, unit, "RuntimeDirectory"))
	if err := os.Mkdir(directory, os.FileMode(mode)); err != nil {
		t.Fatal(err)
	}
	if err := os.Chown(directory, int(uid), int(gid)); err != nil {
		t.Fatal(err)
	}
	words := strings.Fields(replace.Replace(setting(t, unit, "ExecStart")))
	command := exec.CommandContext(t.Context(), words[0], words[1:]...)
	command.Dir = "/"
	command.Env = []string{"PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin"} // systemd's
	for _, pair := range s.environment(t, setting(t, unit, "EnvironmentFile")) {
		command.Env = append(command.Env, replace.Replace(pair))
	}
	command.SysProcAttr = &syscall.SysProcAttr{Chroot: string(s), Credential: &syscall.Credential{Uid: uid, Gid: gid}}
	command.Stdout, command.Stderr = t.Output(), t.Output()
	command.Cancel = func() error { return command.Process.Signal(syscall.SIGTERM) }
	command.WaitDelay = time.Minute
	if err := command.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = command.Wait() }) // the cause of its end is the test's
}

func number(t *testing.T, text string) uint32 {
	t.Helper()
	value, err := strconv.ParseUint(text, 10, 32)
	if err != nil {
		t.Fatal(err)
	}
	return uint32(value)
}
