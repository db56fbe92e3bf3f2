package page

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func TestFillReplacesPartsByName(t *testing.T) {
	const text = "# A\n\n<!-- one: generated -->\nold\n<!-- end -->\n\nkept\n\n<!-- two: generated -->\n<!-- end -->\n"
	const want = "# A\n\n<!-- one: generated -->\n\nnew\n\n<!-- end -->\n\nkept\n\n<!-- two: generated -->\n\nmore\n\n<!-- end -->\n"
	parts := map[string]string{"one": "new\n", "two": "\nmore"}
	got, err := Fill(text, parts)
	if err != nil || got != want {
		t.Errorf("%q, %v, want %q", got, err, want)
	}
	if again, err := Fill(got, parts); err != nil || again != want {
		t.Errorf("filled again: %q, %v", again, err)
	}
	for _, damaged := range []string{"", "<!-- one: generated -->\n", strings.Replace(text, "two", "three", 1)} {
		if _, err := Fill(damaged, parts); err == nil || !strings.Contains(err.Error(), `has no part "`) {
			t.Errorf("%q: %v", damaged, err)
		}
	}
}

func TestFillFile(t *testing.T) {
	path := filepath.Join(t.TempDir(), "a.md")
	if err := os.WriteFile(path, []byte("<!-- one: generated -->\n<!-- end -->\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := FillFile(path, map[string]string{"one": "new"}); err != nil {
		t.Fatal(err)
	}
	if got, err := os.ReadFile(path); err != nil || string(got) != "<!-- one: generated -->\n\nnew\n\n<!-- end -->\n" {
		t.Errorf("%q, %v", got, err)
	}
	if err := FillFile(path, map[string]string{"two": "new"}); err == nil || !strings.Contains(err.Error(), path) {
		t.Errorf("a page without the part: %v", err)
	}
}
