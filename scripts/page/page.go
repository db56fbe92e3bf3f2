// Package page replaces the parts of Markdown pages that programs write.
package page

import (
	"fmt"
	"maps"
	"os"
	"slices"
	"strings"
)

const end = "<!-- end -->"

// Fill replaces the parts of a page by name. A part is between the lines <!-- NAME: generated --> and <!-- end -->. It is an error if the page
// has no part with a name; other parts are kept.
func Fill(text string, parts map[string]string) (string, error) {
	for _, name := range slices.Sorted(maps.Keys(parts)) {
		begin := "<!-- " + name + ": generated -->\n"
		before, rest, found := strings.Cut(text, begin)
		_, after, ended := strings.Cut(rest, end)
		if !found || !ended {
			return "", fmt.Errorf("the page has no part %q", name)
		}
		text = before + begin + "\n" + strings.TrimSpace(parts[name]) + "\n\n" + end + after
	}
	return text, nil
}

// FillFile replaces the parts of a file.
func FillFile(path string, parts map[string]string) error {
	text, err := os.ReadFile(path)
	if err != nil {
		return fmt.Errorf("read the page: %w", err)
	}
	filled, err := Fill(string(text), parts)
	if err != nil {
		return fmt.Errorf("%s: %w", path, err)
	}
	if err := os.WriteFile(path, []byte(filled), 0o644); err != nil {
		return fmt.Errorf("write the page: %w", err)
	}
	return nil
}
