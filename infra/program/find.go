// Package program finds the programs that the local stack and its tests need, and installs those that are missing.
package program

import (
	"cmp"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
)

// Version is a program's version, as far as it matters here.
type Version struct {
	Major, Minor, Patch int
}

// AtLeast reports whether the version is the other or a later one.
func (v Version) AtLeast(other Version) bool {
	return v.compare(other) >= 0
}

func (v Version) compare(other Version) int {
	return cmp.Or(cmp.Compare(v.Major, other.Major), cmp.Compare(v.Minor, other.Minor), cmp.Compare(v.Patch, other.Patch))
}

func (v Version) String() string {
	return fmt.Sprintf("%d.%d.%d", v.Major, v.Minor, v.Patch)
}

// The oldest versions that the stack's settings work with.
var (
	oldestPostgres = Version{Major: 14}
	oldestNGINX    = Version{Major: 1, Minor: 18}
	// Vite requires it; api/web/package.json has the same version.
	oldestNode = Version{Major: 20, Minor: 19}
)

var versionPattern = regexp.MustCompile(`(\d+)(?:\.(\d+))?(?:\.(\d+))?`)

// ParseVersion reads the first version in a program's output, such as
// "postgres (PostgreSQL) 15.18 (Debian 15.18-0+deb12u1)" or "nginx version: nginx/1.22.1". Missing parts are 0.
func ParseVersion(text string) (Version, error) {
	found := versionPattern.FindStringSubmatch(text)
	if found == nil {
		return Version{}, fmt.Errorf("no version in %q", text)
	}
	var version Version
	for i, part := range []*int{&version.Major, &version.Minor, &version.Patch} {
		if found[i+1] == "" {
			break
		}
		number, err := strconv.Atoi(found[i+1])
		if err != nil {
			return Version{}, fmt.Errorf("version in %q: %w", text, err)
		}
		*part = number
	}
	return version, nil
}

// Postgres is an installation of the PostgreSQL server.
type Postgres struct {
	Bin     string // directory that holds initdb and postgres
	Version Version
}

// NGINX is an installation of NGINX.
type NGINX struct {
	Path    string
	Version Version
}

// ErrMissing is wrapped by the errors of the Find functions for a program that is missing or too old.
var ErrMissing = errors.New("missing")

// FindPostgres returns an installation that can start a data directory of the major version, or the first one that is
// new enough when major is 0. It looks in PATH, where Debian and Homebrew put the server outside PATH,
// and where pg_config points.
func FindPostgres(major int) (Postgres, error) {
	var seen []string
	for _, directory := range postgresDirectories() {
		if !isProgram(filepath.Join(directory, "initdb")) {
			continue
		}
		version, err := versionOf(filepath.Join(directory, "postgres"), "--version")
		if err != nil {
			continue
		}
		if version.AtLeast(oldestPostgres) && (major == 0 || version.Major == major) {
			return Postgres{Bin: directory, Version: version}, nil
		}
		seen = append(seen, fmt.Sprintf("%d in %s", version.Major, directory))
	}
	wanted := "PostgreSQL " + strconv.Itoa(oldestPostgres.Major) + " or newer"
	if major != 0 {
		wanted = "PostgreSQL " + strconv.Itoa(major)
	}
	if len(seen) > 0 {
		return Postgres{}, fmt.Errorf("%s is %w: there is only %s", wanted, ErrMissing, strings.Join(slices.Compact(seen), ", "))
	}
	return Postgres{}, fmt.Errorf("%s is %w", wanted, ErrMissing)
}

func postgresDirectories() []string {
	var directories []string
	if path, err := exec.LookPath("postgres"); err == nil {
		// A link in PATH leads to the directory that holds the other programs too.
		if path, err = filepath.EvalSymlinks(path); err == nil {
			directories = append(directories, filepath.Dir(path))
		}
	}
	for _, pattern := range []string{
		"/usr/lib/postgresql/*/bin",          // Debian, Ubuntu
		"/usr/pgsql-*/bin",                   // PostgreSQL's own RPMs
		"/opt/homebrew/opt/postgresql@*/bin", // Homebrew on Apple silicon
		"/usr/local/opt/postgresql@*/bin",    // Homebrew on Intel
		"/home/linuxbrew/.linuxbrew/opt/postgresql@*/bin",
	} {
		found, _ := filepath.Glob(pattern) // fails for a malformed pattern only
		directories = append(directories, newestFirst(found)...)
	}
	if out, err := exec.Command("pg_config", "--bindir").Output(); err == nil {
		directories = append(directories, strings.TrimSpace(string(out)))
	}
	return directories
}

// newestFirst sorts directories by the version in their names: 9.6 is older than 15.
func newestFirst(directories []string) []string {
	slices.SortStableFunc(directories, func(a, b string) int {
		versionA, _ := ParseVersion(a)
		versionB, _ := ParseVersion(b)
		return versionB.compare(versionA)
	})
	return directories
}

// FindNGINX returns the first NGINX that is new enough, from PATH or from where packages put it outside an
// ordinary user's PATH.
func FindNGINX() (NGINX, error) {
	seen := ""
	candidates := []string{
		"/usr/sbin/nginx", "/usr/local/sbin/nginx", "/usr/local/nginx/sbin/nginx",
		"/opt/homebrew/bin/nginx", "/usr/local/bin/nginx",
	}
	if path, err := exec.LookPath("nginx"); err == nil {
		candidates = slices.Insert(candidates, 0, path)
	}
	for _, path := range candidates {
		version, err := versionOf(path, "-v")
		if err != nil {
			continue
		}
		if version.AtLeast(oldestNGINX) {
			return NGINX{Path: path, Version: version}, nil
		}
		seen = fmt.Sprintf(": there is only %s in %s", version, path)
	}
	return NGINX{}, fmt.Errorf("NGINX %s or newer is %w%s", oldestNGINX, ErrMissing, seen)
}

// Node is an installation of Node.js.
type Node struct {
	Path    string
	NPM     string // path of npm
	Version Version
}

// FindNode returns the Node.js in PATH, if it is new enough and npm is present.
func FindNode() (Node, error) {
	wanted := "Node.js " + oldestNode.String() + " or newer"
	path, err := FindInPath("node", "nodejs")
	if err != nil {
		return Node{}, fmt.Errorf("%s is %w", wanted, ErrMissing)
	}
	version, err := versionOf(path, "--version")
	if err != nil {
		return Node{}, err
	}
	if !version.AtLeast(oldestNode) {
		return Node{}, fmt.Errorf("%s is %w: there is only %s in %s", wanted, ErrMissing, version, path)
	}
	npm, err := FindInPath("npm")
	if err != nil {
		return Node{}, err
	}
	return Node{Path: path, NPM: npm, Version: version}, nil
}

// FindChromium returns the path of Chromium or a browser based on it.
func FindChromium() (string, error) {
	if path, err := FindInPath("chromium", "chromium-browser", "google-chrome"); err == nil {
		return path, nil
	}
	for _, path := range []string{"/Applications/Chromium.app/Contents/MacOS/Chromium", "/Applications/Google Chrome.app/Contents/MacOS/Google Chrome"} {
		if isProgram(path) {
			return path, nil
		}
	}
	return "", fmt.Errorf("a browser, Chromium, is %w", ErrMissing)
}

// FindRedis returns the path of a Redis or Valkey server.
func FindRedis() (string, error) {
	return FindInPath("redis-server", "valkey-server")
}

// FindPodman returns an error that names the first missing one of podman and the programs that tests use with it.
func FindPodman() error {
	for _, name := range []string{"podman", "buildah", "runc", "podman-compose", "mmdebstrap"} {
		if _, err := FindInPath(name, filepath.Join("/usr/sbin", name)); err != nil {
			return err
		}
	}
	return nil
}

// FindNodeExporter returns the path of Prometheus' exporter of the machine's metrics.
func FindNodeExporter() (string, error) {
	return FindInPath("prometheus-node-exporter", "node_exporter")
}

// FindInPath looks up the first of the names in PATH.
func FindInPath(names ...string) (string, error) {
	for _, name := range names {
		if path, err := exec.LookPath(name); err == nil {
			return path, nil
		}
	}
	return "", fmt.Errorf("%s is %w", strings.Join(names, " or "), ErrMissing)
}

func versionOf(path, flag string) (Version, error) {
	if !isProgram(path) {
		return Version{}, ErrMissing
	}
	out, err := exec.Command(path, flag).CombinedOutput()
	if err != nil {
		return Version{}, fmt.Errorf("%s %s: %w", path, flag, err)
	}
	return ParseVersion(string(out))
}

func isProgram(path string) bool {
	info, err := os.Stat(path)
	return err == nil && info.Mode().IsRegular() && info.Mode()&0o111 != 0
}

// FindFaketime returns the library that, preloaded, gives a program another clock.
func FindFaketime() (string, error) {
	for _, pattern := range []string{
		"/usr/lib/*/faketime/libfaketime.so.1",       // Debian, Ubuntu
		"/usr/lib*/faketime/libfaketime.so.1",        // Fedora, Arch
		"/opt/homebrew/lib/faketime/libfaketime*lib", // Homebrew on Apple silicon
		"/usr/local/lib/faketime/libfaketime*",       // Homebrew on Intel; built by hand
	} {
		if found, err := filepath.Glob(pattern); err == nil && len(found) > 0 {
			return found[0], nil
		}
	}
	return "", fmt.Errorf("libfaketime is %w", ErrMissing)
}
