package container

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
)

// suite is the Debian release of the bases.
const suite = "bookworm"

// Servers are the packages of the base that stands for the images of NGINX and PostgreSQL from a registry. Tests that use the same
// packages share one archive.
var Servers = []string{"nginx-light", "postgresql"}

// Base returns the path of a tar archive of a minimal Debian system with these packages. The first call makes it, which takes from 20
// seconds to minutes; later calls, also of other processes, return the same file, in directory. Such as .run/containers.
func Base(ctx context.Context, directory string, packages ...string) (archive string, err error) {
	packages = slices.Sorted(slices.Values(packages))
	if err := os.MkdirAll(directory, 0o755); err != nil {
		return "", fmt.Errorf("make a base image: %w", err)
	}
	options := []string{
		"--variant=minbase", "--include=" + strings.Join(packages, ","),
		// A third of the size, and nothing that a server reads. The compiler for queries (LLVM) is another: with jit = off, PostgreSQL
		// never loads it.
		"--dpkgopt=path-exclude=/usr/share/doc/*", "--dpkgopt=path-exclude=/usr/share/man/*", "--dpkgopt=path-exclude=/usr/share/locale/*",
		`--customize-hook=rm -f "$1"/usr/lib/*/libLLVM-*`, `--customize-hook=rm -rf "$1"/usr/lib/postgresql/*/lib/bitcode`,
	}
	sum := sha256.Sum256([]byte(strings.Join(options, "\n")))
	archive = filepath.Join(directory, fmt.Sprintf("%s-%x.tar", suite, sum[:6]))
	claim, err := os.OpenFile(archive+".lock", os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		return "", fmt.Errorf("make a base image: %w", err)
	}
	defer func() { err = errors.Join(err, claim.Close()) }()
	// Others of this project's tests want the same one, and wait.
	if err := syscall.Flock(int(claim.Fd()), syscall.LOCK_EX); err != nil {
		return "", fmt.Errorf("make a base image: %w", err)
	}
	if _, err := os.Stat(archive); err == nil {
		return archive, nil
	}
	draft := strings.TrimSuffix(archive, ".tar") + ".draft.tar" // mmdebstrap's format follows from the name
	command := exec.CommandContext(ctx, "mmdebstrap", append(options, suite, draft)...)
	if out, err := command.CombinedOutput(); err != nil {
		return "", errors.Join(fmt.Errorf("mmdebstrap with %s: %w\n%s", strings.Join(packages, ", "), err, out), os.RemoveAll(draft))
	}
	if err := os.Rename(draft, archive); err != nil {
		return "", fmt.Errorf("make a base image: %w", err)
	}
	return archive, nil
}
