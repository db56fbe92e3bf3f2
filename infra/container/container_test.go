package container

import (
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"systemscale/infra/port/porttest"
	"systemscale/infra/program"
)

func TestPodman(t *testing.T) {
	if problem := program.NeedPodman.Find(); problem != nil || os.Geteuid() != 0 {
		if os.Getenv("REQUIRE_DB") == "1" {
			t.Fatalf("REQUIRE_DB=1 requires containers, and those podman and root: %v", problem)
		}
		t.Skip("no podman, or not root")
	}
	podman, err := Open(t.Context(), "")
	if err != nil {
		t.Fatal(err)
	}
	directory := podman.directory
	closed := false
	t.Cleanup(func() {
		if !closed {
			if err := podman.Close(); err != nil {
				t.Error(err)
			}
		}
	})
	// A base from an archive, as Base makes one, with one static program.
	root := t.TempDir()
	build := exec.Command("go", "build", "-o", filepath.Join(root, "greet"), "./testdata/greet")
	build.Env = append(os.Environ(), "CGO_ENABLED=0")
	if out, err := build.CombinedOutput(); err != nil {
		t.Fatalf("build: %v\n%s", err, out)
	}
	archive := filepath.Join(t.TempDir(), "root.tar")
	if out, err := exec.Command("tar", "-C", root, "-cf", archive, "greet").CombinedOutput(); err != nil {
		t.Fatalf("tar: %v\n%s", err, out)
	}
	if err := podman.Import(t.Context(), archive, "localhost/base:1"); err != nil {
		t.Fatal(err)
	}
	contextDirectory := t.TempDir()
	text := "FROM localhost/base:1\nUSER 65532:65532\nENTRYPOINT [\"/greet\"]\n"
	if err := os.WriteFile(filepath.Join(contextDirectory, "Containerfile"), []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	run := func(arguments ...string) string {
		t.Helper()
		out, err := podman.Output(t.Context(), arguments...)
		if err != nil {
			t.Fatal(err)
		}
		return out
	}
	run("build", "--tag", "localhost/greet:1", contextDirectory)
	// Another network than podman's own, with a name service, limits and a published port: what Compose files use.
	run("network", "create", "front")
	address := porttest.Address(t)
	run("run", "--detach", "--name", "greet", "--network", "front", "--read-only", "--memory", "64m", "--cpus", "0.5",
		"--publish", address+":8000", "localhost/greet:1")
	answer := ""
	for deadline := time.Now().Add(20 * time.Second); answer == "" && time.Now().Before(deadline); time.Sleep(50 * time.Millisecond) {
		if response, err := http.Get("http://" + address); err == nil {
			body, _ := io.ReadAll(response.Body)
			answer = string(body)
			_ = response.Body.Close()
		}
	}
	if answer != "hello" {
		t.Errorf("the container responds %q, want hello", answer)
	}
	// The name service of the network, in which podman notes the names.
	if out := run("run", "--rm", "--network", "front", "localhost/greet:1", "http://greet:8000"); out != "hello" {
		t.Errorf("another container got %q by the name", out)
	}
	if logs := run("logs", "greet"); logs != "serving as 65532" {
		t.Errorf("the container logged %q", logs)
	}
	if _, err := podman.Output(t.Context(), "run", "--rm", "docker.io/library/unknown:1"); err == nil {
		t.Error("an image that is not here runs")
	}

	pid := run("inspect", "--format", "{{.State.Pid}}", "greet")
	if err := podman.Close(); err != nil {
		t.Fatal(err)
	}
	closed = true
	if _, err := os.Stat(directory); err == nil {
		t.Errorf("Close left %s", directory)
	}
	if _, err := os.Stat(fmt.Sprintf("/proc/%s/root/greet", pid)); err == nil {
		t.Errorf("Close left the process %s", pid)
	}
	if mounts, _ := os.ReadFile("/proc/self/mounts"); strings.Contains(string(mounts), directory) {
		t.Errorf("Close left a mount:\n%s", mounts)
	}
}
