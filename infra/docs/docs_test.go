// Package docs_test compares the documentation with the repository: relative links resolve, and the tables of flags and
// variables are complete.
package docs_test

import (
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// root is the repository's top directory, relative to this package.
const root = "../.."

var (
	link    = regexp.MustCompile(`\]\(([^)\s]+)\)`)
	heading = regexp.MustCompile(`(?m)^#+ +(.+)$`)
	fence   = regexp.MustCompile("(?ms)^```.*?^```")
	anchor  = regexp.MustCompile(`[^\p{L}\p{N}\- ]`)
)

// pages returns the paths of all Markdown files, relative to root.
func pages(t *testing.T) []string {
	t.Helper()
	var found []string
	err := fs.WalkDir(os.DirFS(root), ".", func(path string, entry fs.DirEntry, err error) error {
		switch {
		case err != nil:
			return err
		case entry.IsDir() && (entry.Name() == "node_modules" || entry.Name() == "testdata" || entry.Name() == ".run" || entry.Name() == ".git"):
			return fs.SkipDir
		case filepath.Ext(path) == ".md":
			found = append(found, path)
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	if len(found) < 5 {
		t.Fatalf("found only %q", found)
	}
	return found
}

func read(t *testing.T, path string) string {
	t.Helper()
	text, err := os.ReadFile(filepath.Join(root, path))
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

// anchors returns the fragments that GitHub generates from the headings of a page.
func anchors(text string) []string {
	var found []string
	for _, match := range heading.FindAllStringSubmatch(fence.ReplaceAllString(text, ""), -1) {
		name := anchor.ReplaceAllString(strings.ToLower(match[1]), "")
		found = append(found, strings.ReplaceAll(name, " ", "-"))
	}
	return found
}

func TestRelativeLinksResolve(t *testing.T) {
	for _, page := range pages(t) {
		for _, match := range link.FindAllStringSubmatch(fence.ReplaceAllString(read(t, page), ""), -1) {
			target, fragment, _ := strings.Cut(match[1], "#")
			if strings.Contains(target, "://") || strings.HasPrefix(target, "mailto:") {
				continue
			}
			path := page
			if target != "" {
				path = filepath.Join(filepath.Dir(page), target)
			}
			if _, err := os.Stat(filepath.Join(root, path)); err != nil {
				t.Errorf("%s links to %s, which does not exist", page, match[1])
				continue
			}
			if fragment != "" && !slices.Contains(anchors(read(t, path)), fragment) {
				t.Errorf("%s links to %s, which has no such heading", page, match[1])
			}
		}
	}
}

// commands are the commands of each program. "" is a program without commands.
var commands = map[string][]string{
	"etl": {"run", "plan", "history", "rollback", "refresh", "render", "explain", "check", "migrate"},
	"api": {""},
}

var (
	flagInHelp     = regexp.MustCompile(`(?m)^ +(?:-\w, +)?(--[a-z-]+)`)
	variableInHelp = regexp.MustCompile(`\(\$([A-Z_]+)\)`)
	flagInTable    = regexp.MustCompile("(?m)^\\| `(--[a-z-]+)")
	variableInPage = regexp.MustCompile("`([A-Z][A-Z_]+)`")
)

func TestConfigurationIsComplete(t *testing.T) {
	page := read(t, "infra/docs/configuration.md")
	for program, names := range commands {
		binary := filepath.Join(t.TempDir(), program)
		if out, err := exec.Command("go", "build", "-o", binary, "systemscale/"+program).CombinedOutput(); err != nil {
			t.Fatalf("build %s: %v\n%s", program, err, out)
		}
		flags, variables := map[string]bool{}, map[string]bool{}
		for _, name := range names {
			out, err := exec.Command(binary, append(strings.Fields(name), "--help")...).CombinedOutput()
			if err != nil {
				t.Fatalf("%s %s --help: %v\n%s", program, name, err, out)
			}
			for _, match := range flagInHelp.FindAllStringSubmatch(string(out), -1) {
				flags[match[1]] = true
			}
			for _, match := range variableInHelp.FindAllStringSubmatch(strings.Join(strings.Fields(string(out)), " "), -1) {
				variables[match[1]] = true
			}
		}
		delete(flags, "--help")
		section := between(t, page, "## "+program, "\n## ")
		if diff := cmp.Diff(sorted(flags), sorted(submatches(flagInTable, section))); diff != "" {
			t.Errorf("flags of %s: help (-), configuration.md (+)\n%s", program, diff)
		}
		if diff := cmp.Diff(sorted(variables), sorted(submatches(variableInPage, section))); diff != "" {
			t.Errorf("variables of %s: help (-), configuration.md (+)\n%s", program, diff)
		}
	}
}

// between returns the text after the line begin, up to the next end or to the end of the text.
func between(t *testing.T, text, begin, end string) string {
	t.Helper()
	_, rest, found := strings.Cut(text, "\n"+begin+"\n")
	if !found {
		t.Fatalf("configuration.md has no section %q", begin)
	}
	section, _, _ := strings.Cut(rest, end)
	return section
}

func submatches(pattern *regexp.Regexp, text string) map[string]bool {
	found := map[string]bool{}
	for _, match := range pattern.FindAllStringSubmatch(text, -1) {
		found[match[1]] = true
	}
	return found
}

func sorted(set map[string]bool) []string {
	names := make([]string, 0, len(set))
	for name := range set {
		names = append(names, name)
	}
	slices.Sort(names)
	return names
}
