package program

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
)

// Debian's packages start their services when they are installed, and enable them for the next boot. These are
// the files that prevent the former; see invoke-rc.d(8) and pg_createcluster(1).
const (
	policyFile  = "/usr/sbin/policy-rc.d"
	policy      = "#!/bin/sh\n# Temporary: systemScale installs programs, not services.\nexit 101\n"
	clusterFile = "/etc/postgresql-common/createcluster.d/systemscale.conf"
	clusterText = "# Temporary: systemScale makes a cluster of its own.\ncreate_main_cluster = false\n"
)

// services are the system services that a package brings.
var services = map[string]string{
	"nginx": "nginx.service", "pgbouncer": "pgbouncer.service", "postgresql": "postgresql.service",
	"redis-server": "redis-server.service", "prometheus": "prometheus.service",
	"prometheus-node-exporter": "prometheus-node-exporter.service",
	"patroni":                  "patroni.service", "etcd-server": "etcd.service",
}

// AptInstall installs Debian packages as root without letting any of their services start, now or at the next boot.
func AptInstall(ctx context.Context, out io.Writer, packages []string) (err error) {
	undoPolicy, err := placeTemporarily(policyFile, policy, 0o755)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, undoPolicy()) }()
	if slices.Contains(packages, "postgresql") {
		undoCluster, err := placeTemporarily(clusterFile, clusterText, 0o644)
		if err != nil {
			return err
		}
		defer func() { err = errors.Join(err, undoCluster()) }()
	}

	quiet := []string{"DEBIAN_FRONTEND=noninteractive"}
	if err := runTo(ctx, out, quiet, "apt-get", "update", "-qq"); err != nil {
		// The present lists may suffice; if not, the installation reports the missing package.
		fmt.Fprintln(out, err)
	}
	arguments := append([]string{"install", "-qq", "--no-install-recommends", "-o", "Dpkg::Use-Pty=0"}, packages...)
	if err := runTo(ctx, out, quiet, "apt-get", arguments...); err != nil {
		return err
	}
	return disableServices(ctx, out, packages)
}

// placeTemporarily writes a file unless the path has another file, and returns a function that removes it. A file with the same
// text, from an interrupted installation, counts as written.
func placeTemporarily(path, text string, mode os.FileMode) (undo func() error, err error) {
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		return nil, fmt.Errorf("prepare the installation: %w", err)
	}
	file, err := os.OpenFile(path, os.O_CREATE|os.O_EXCL|os.O_WRONLY, mode)
	if errors.Is(err, os.ErrExist) {
		if found, err := os.ReadFile(path); err == nil && string(found) == text {
			return func() error { return os.Remove(path) }, nil
		}
		return func() error { return nil }, nil
	}
	if err != nil {
		return nil, fmt.Errorf("prepare the installation: %w", err)
	}
	_, writeErr := file.WriteString(text)
	if err := errors.Join(writeErr, file.Close()); err != nil {
		return nil, errors.Join(fmt.Errorf("prepare the installation: %w", err), os.Remove(path))
	}
	return func() error { return os.Remove(path) }, nil
}

// disableServices disables the packages' services for the next boot, and stops those that run in spite of the policy.
func disableServices(ctx context.Context, out io.Writer, packages []string) error {
	if _, err := exec.LookPath("systemctl"); err != nil {
		return nil
	}
	for _, name := range packages {
		service, found := services[name]
		if !found {
			continue
		}
		arguments := []string{"disable", "--quiet"}
		if _, err := os.Stat("/run/systemd/system"); err == nil { // systemd is running, not only installed
			arguments = append(arguments, "--now")
		}
		if err := runTo(ctx, out, nil, "systemctl", append(arguments, service)...); err != nil {
			return fmt.Errorf("disable the automatic start of %s: %w", service, err)
		}
	}
	return nil
}
