package docs_test

import (
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
)

var (
	// A row of the table of procedures: a link to the section, and tests.
	procedureRow = regexp.MustCompile(`(?m)^\| \[([^\]]+)\]\(#([^)]+)\) \| (.+) \|$`)
	procedure    = regexp.MustCompile(`(?m)^## (.+)$`)
	testOf       = regexp.MustCompile("^`([a-z/]+)\\.(Test[A-Za-z]+)`$")
)

// TestProceduresHaveTests requires that every procedure of the runbook is in its table, with tests that exist.
func TestProceduresHaveTests(t *testing.T) {
	text := read(t, "infra/docs/runbook.md")
	var listed, sections []string
	for _, row := range procedureRow.FindAllStringSubmatch(text, -1) {
		listed = append(listed, row[1])
		for name := range strings.SplitSeq(row[3], ", ") {
			found := testOf.FindStringSubmatch(name)
			if found == nil {
				t.Errorf("%s: %q is not the name of a test", row[1], name)
				continue
			}
			if !hasTest(t, found[1], found[2]) {
				t.Errorf("%s: there is no test %s", row[1], name)
			}
		}
	}
	for _, section := range procedure.FindAllStringSubmatch(text, -1) {
		sections = append(sections, section[1])
	}
	if !slices.Equal(listed, sections) || len(sections) < 15 {
		t.Errorf("the table has %q, and the sections are %q", listed, sections)
	}
}

// hasTest reports whether a package has a test.
func hasTest(t *testing.T, directory, name string) bool {
	t.Helper()
	files, err := filepath.Glob(filepath.Join(root, directory, "*_test.go"))
	if err != nil {
		t.Fatal(err)
	}
	for _, file := range files {
		code, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		if strings.Contains(string(code), "\nfunc "+name+"(t *testing.T)") {
			return true
		}
	}
	return false
}
