// Package docs_test compares the documentation with the repository: relative links resolve, and the tables of flags and
// variables are complete.
package docs_test

import (
	"io/fs"
	"maps"
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
	"etl":     {"run", "plan", "history", "rollback", "hold", "release", "refresh", "render", "explain", "check", "init", "drop", "migrate"},
	"api":     {""},
	"gateway": {""},
}

// packages are the programs that are not in a directory of their name.
var packages = map[string]string{"gateway": "infra/gateway"}

var (
	// The placeholder, or the default value, is after "=".
	flagInHelp     = regexp.MustCompile(`^ +(?:-\w, +)?--([a-z-]+)(?:=(\S+))?`)
	defaultInHelp  = regexp.MustCompile(`Default: (.+?)(?: \(\$[A-Z_]+\))?\.?$`)
	variableInHelp = regexp.MustCompile(`\(\$([A-Z_]+)\)`)
	flagInTable    = regexp.MustCompile("^`--([a-z-]+)")
	variableInPage = regexp.MustCompile("`([A-Z][A-Z_]+)`")
)

// A flagRow is what --help and configuration.md both have of a flag. Default has no spaces and no thousands separators.
type flagRow struct{ Variable, Default, Commands string }

func TestConfigurationIsComplete(t *testing.T) {
	page := read(t, "infra/docs/configuration.md")
	for program, names := range commands {
		section := between(t, page, "## "+program, "\n## ")
		help := flagsInHelp(t, program, names)
		if diff := cmp.Diff(help, flagsInTable(section, names)); diff != "" {
			t.Errorf("flags of %s: help (-), configuration.md (+)\n%s", program, diff)
		}
		for _, match := range variableInPage.FindAllStringSubmatch(section, -1) {
			known := func(row flagRow) bool { return row.Variable == match[1] }
			if !slices.ContainsFunc(slices.Collect(maps.Values(help)), known) {
				t.Errorf("configuration.md names the variable %s, which %s does not have", match[1], program)
			}
		}
	}
}

// flagsInHelp returns the flags in the --help of all commands of a program.
func flagsInHelp(t *testing.T, program string, names []string) map[string]flagRow {
	t.Helper()
	binary, source := filepath.Join(t.TempDir(), program), program
	if other := packages[program]; other != "" {
		source = other
	}
	if out, err := exec.Command("go", "build", "-o", binary, "systemscale/"+source).CombinedOutput(); err != nil {
		t.Fatalf("build %s: %v\n%s", program, err, out)
	}
	flags := map[string]flagRow{}
	for _, name := range names {
		out, err := exec.Command(binary, append(strings.Fields(name), "--help")...).CombinedOutput()
		if err != nil {
			t.Fatalf("%s %s --help: %v\n%s", program, name, err, out)
		}
		_, help, _ := strings.Cut(string(out), "\nFlags:\n")
		// A paragraph is a flag with the lines that continue its text.
		var paragraphs []string
		for line := range strings.Lines(help) {
			if flagInHelp.MatchString(line) || len(paragraphs) == 0 {
				paragraphs = append(paragraphs, "")
			}
			paragraphs[len(paragraphs)-1] += line
		}
		for _, paragraph := range paragraphs {
			match := flagInHelp.FindStringSubmatch(paragraph)
			if match == nil || match[1] == "help" {
				continue
			}
			text, row := strings.Join(strings.Fields(paragraph), " "), flags[match[1]]
			if value := strings.Trim(match[2], `"`); value != strings.ToUpper(value) || strings.Trim(value, "0123456789") == "" {
				row.Default = value
			}
			if value := defaultInHelp.FindStringSubmatch(text); value != nil {
				row.Default = value[1]
			}
			if variable := variableInHelp.FindStringSubmatch(text); variable != nil {
				row.Variable = variable[1]
			}
			row.Default = normalized(row.Default)
			row.Commands = strings.TrimPrefix(row.Commands+", "+name, ", ")
			flags[match[1]] = row
		}
	}
	return flags
}

// flagsInTable returns the rows of the table of a program with these commands.
func flagsInTable(section string, names []string) map[string]flagRow {
	flags := map[string]flagRow{}
	for line := range strings.Lines(section) {
		cells := strings.Split(strings.Trim(strings.TrimSpace(line), "|"), "|")
		flag := flagInTable.FindStringSubmatch(strings.TrimSpace(cells[0]))
		if flag == nil {
			continue
		}
		for i := range cells {
			cells[i] = strings.TrimSpace(cells[i])
		}
		row := flagRow{Variable: strings.Trim(cells[1], "`"), Default: normalized(cells[2])}
		if names[0] != "" {
			row.Commands = commandsInCell(cells[3], names)
		}
		flags[flag[1]] = row
	}
	return flags
}

// commandsInCell returns the commands that a cell names, in their order.
func commandsInCell(cell string, names []string) string {
	included := strings.FieldsFunc(cell, func(r rune) bool { return r == ',' || r == ' ' })
	all, except := strings.HasPrefix(cell, "all"), strings.HasPrefix(cell, "all but ")
	if cell == "all that read a dump" {
		all, included = false, []string{"run", "plan", "render", "explain", "check"}
	}
	var found []string
	for _, name := range names {
		if listed := slices.Contains(included, name); all && !except || listed != except {
			found = append(found, name)
		}
	}
	return strings.Join(found, ", ")
}

// normalized returns a default without separators, code marks and "none", which --help leaves out.
func normalized(value string) string {
	value = strings.NewReplacer(" ", "", ",", "", "`", "").Replace(value)
	if value == "none" {
		return ""
	}
	return value
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
