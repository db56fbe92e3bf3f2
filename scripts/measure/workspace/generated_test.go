package workspace

import (
	"os"
	"path/filepath"
	"testing"
)

func TestComplete(t *testing.T) {
	directory := t.TempDir()
	write := func(name, text string) {
		t.Helper()
		if err := os.WriteFile(filepath.Join(directory, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	for _, step := range []struct {
		name, file, text string
		want             bool
	}{
		{"no report", "a.csv", "id\n1\n", false},
		{"an empty report", "generated.json", `{"files":[]}`, false},
		{"a file missing", "generated.json", `{"files":[{"name":"a.csv","bytes":5},{"name":"b.csv","bytes":2}]}`, false},
		{"all files", "b.csv", "id", true},
		{"a truncated file", "a.csv", "id\n1", false},
	} {
		write(step.file, step.text)
		if got := complete(directory); got != step.want {
			t.Errorf("%s: complete = %v", step.name, got)
		}
	}
}
