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
			"check":   {nil, 21, "-:4"},
			"explain": {[]string{"piped", "1"}, exitOK, ":3: 1,Tea"},
			"render":  {nil, exitOK, "item: 4 documents"},
			"plan":    {[]string{"--database", database.ETL}, 21, "-:4: id not an int: `x,Ham`"},
			"run": {
				[]string{"--database", database.ETL, "--rejects", filepath.Join(t.TempDir(), "rejects"), "--accept", "rejects"},
				exitOK,
				": 1 rejected: not an int",
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
