// Package containertest runs containers for the length of a test.
package containertest

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"sync"
	"testing"

	"systemscale/infra/container"
	"systemscale/infra/program"
)

// Open returns a podman that is closed, with all its containers, when t ends. It waits for other tests with containers. Without podman or
// without root, the test is skipped, or fails if REQUIRE_DB=1.
func Open(t testing.TB) *container.Podman {
	t.Helper()
	problem := program.NeedPodman.Find()
	if problem == nil && os.Geteuid() != 0 {
		problem = errors.New("containers need root")
	}
	if problem != nil {
		if os.Getenv("REQUIRE_DB") == "1" {
			t.Fatalf("%v, but REQUIRE_DB=1 requires containers: run ./scripts/task test as root", problem)
		}
		t.Skip(problem)
	}
	podman, err := container.Open(t.Context(), "")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := podman.Close(); err != nil {
			t.Error(err)
		}
	})
	return podman
}

// Run runs podman and returns its standard output. The test ends if podman fails.
func Run(t testing.TB, podman *container.Podman, arguments ...string) string {
	t.Helper()
	out, err := podman.Output(context.WithoutCancel(t.Context()), arguments...)
	if err != nil {
		t.Fatal(err)
	}
	return out
}

// Servers is the name of the image that ImportServers makes.
const Servers = "localhost/servers:test"

// ImportServers makes the image Servers: Debian with NGINX and PostgreSQL, in place of the images of a registry. The archive of it stays
// in .run/containers, for other tests and later runs.
func ImportServers(t testing.TB, podman *container.Podman) {
	t.Helper()
	archive, err := container.Base(t.Context(), filepath.Join(root(t), ".run", "containers"), container.Servers...)
	if err != nil {
		t.Fatal(err)
	}
	if err := podman.Import(t.Context(), archive, Servers); err != nil {
		t.Fatal(err)
	}
}

var findRoot = sync.OnceValues(func() (string, error) {
	directory, err := os.Getwd()
	for err == nil {
		if _, err := os.Stat(filepath.Join(directory, "go.mod")); err == nil {
			return directory, nil
		}
		if directory == filepath.Dir(directory) {
			err = os.ErrNotExist
		}
		directory = filepath.Dir(directory)
	}
	return "", fmt.Errorf("find go.mod in a parent of the test's directory: %w", err)
})

func root(t testing.TB) string {
	t.Helper()
	directory, err := findRoot()
	if err != nil {
		t.Fatal(err)
	}
	return directory
}
