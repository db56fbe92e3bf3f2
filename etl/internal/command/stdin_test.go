package command

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"systemscale/etl/internal/dump/dumptest"
	"systemscale/sql/testdb"
)

const pipedShape = `
collection: piped
sources:
  item: {file: "-", key: id, columns: {id: int, name: text}}
documents:
  item: {path: "", body: {id: id, name: name}}
`

// withInput makes a text the standard input until the test ends.
func withInput(t *testing.T, text []byte) {
	t.Helper()
	path := filepath.Join(t.TempDir(), "input")
	put(t, path, text)
	file, err := os.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	before := os.Stdin
	os.Stdin = file
	t.Cleanup(func() {
		os.Stdin = before
		_ = file.Close() // only read
	})
}

// TestStandardInput reads a file that is not in order from the standard input, plain and compressed, with every command.
func TestStandardInput(t *testing.T) {
	database := testdb.New(t)
	text := []byte("id,name\n2,Jam\n1,Tea\nx,Ham\n3,Egg\n4,Oat\n")
	for form, input := range map[string][]byte{"plain": text, "gzip": dumptest.Gzip(t, text), "zstd": dumptest.Zstd(t, text)} {
		for command, c := range map[string]struct {
			args []string
			code int
			want string
		}{
			"check":   {nil, 21, "standard input:4"},
			"explain": {[]string{"piped", "1"}, exitOK, "standard input:3: 1,Tea"},
			"render":  {nil, exitOK, "item: 4 documents"},
			"plan":    {[]string{"--database", database.ETL}, 21, "standard input:4: id not an int: `x,Ham`"},
			"run": {
				[]string{"--database", database.ETL, "--rejects", filepath.Join(t.TempDir(), "rejects"), "--accept", "rejects"},
				exitOK,
				"standard input: 1 rejected: not an int",
			},
		} {
			directory := t.TempDir()
			dumptest.Write(t, directory, map[string]string{"piped.yaml": pipedShape})
			withInput(t, input)
			temp := t.TempDir()
			args := append([]string{command}, c.args...)
			args = append(args, "--csv", directory, "--shape", filepath.Join(directory, "piped.yaml"), "--temp", temp)
			code, stdout, stderr := etl(t.Context(), args...)
			if code != c.code || !strings.Contains(stdout, c.want) {
				t.Errorf("%s, %s: exit code %d, want %d and %q\n%s%s", command, form, code, c.code, c.want, stdout, stderr)
			}
			if left, err := os.ReadDir(temp); err != nil || len(left) > 0 {
				t.Errorf("%s leaves %v in the directory for temporary files (%v)", command, left, err)
			}
		}
	}
}

// TestMessagesAboutStandardInput has no message with the name of the copy.
func TestMessagesAboutStandardInput(t *testing.T) {
	for _, c := range []struct {
		name, command string
		input         []byte
		want          string
	}{
		{"headers", "check", dumptest.Gzip(t, []byte("id,Name\n1,a\n")), "standard input:1 has no such column; did you mean Name?"},
		{"a header", "render", []byte("ID,name\n1,a\n"), "standard input:1: the header has no column \"id\"; it has ID, name."},
		{"a remedy", "render", []byte("ID,name\n1,a\n"), "did you mean ID?"},
		{"a cut archive", "render", dumptest.Gzip(t, []byte("id,name\n1,a\n"))[:25], "standard input"},
		{"an empty file", "render", nil, "standard input: the file is empty"},
		{"columns", "check", dumptest.Zstd(t, []byte("id,name\n1,a\n")), "standard input: 2 columns, all are read"},
		{"a line end", "render", dumptest.Gzip(t, []byte("id,name\n1,a\n2,b")), "standard input:3: the last line has no line end"},
	} {
		directory, temp := t.TempDir(), t.TempDir()
		dumptest.Write(t, directory, map[string]string{"piped.yaml": pipedShape})
		withInput(t, c.input)
		_, stdout, stderr := etl(t.Context(), c.command, "--csv", directory, "--shape", filepath.Join(directory, "piped.yaml"), "--temp", temp)
		if text := stdout + stderr; !strings.Contains(text, c.want) || strings.Contains(text, "-.") || strings.Contains(text, temp) {
			t.Errorf("%s: %s, want %q and not the name of the copy", c.name, text, c.want)
		}
	}
}
