package inspect

import (
	"errors"
	"log/slog"
	"os"
	"path/filepath"
	"testing"

	"systemscale/etl/internal/dump"
	"systemscale/etl/internal/dump/dumptest"
	"systemscale/etl/internal/source"
)

// FuzzDirectory guesses a shape file for two files with any text. It is valid, and the files can be read with it.
func FuzzDirectory(f *testing.F) {
	for _, seed := range [][2]string{
		{"id,name\n1,a\n2,b\n", "id,first_id\n1,1\n2,1\n"},
		{"1,2\n\n,43", "a|b\n\"x|N\ny\\\"<\xb6C~"},
		{"id;price\n1;4,50 €\n2;\n", "\"a\tb\"\n"},
		{"1,2\n3,4\n", "a|b\n\"x\"y|\\N\n"},
		{"id , name\n1, \"a\n", "\xff\xfei\x00d\x00\n\x00"},
		{"slug,parent_slug\na,\nb,a\n", "first,no\na,1\nb,\"2\n"},
		{"a,b\nx,y\nx,z\n", "id,first\n1,x\n"},
		{"qqqqqqqqqqqqqqqqqqqq\x8e\nx\n", "+,',(\nx,y,z\n"},
		{"id,--\n1,2\n2,3\n", "a|?\n1|2\n"},
		{"id;pr\x10\x00\n1e;4,50 €\n25;\n", "id\xe9\n1\n2\n"},
	} {
		f.Add(seed[0], seed[1])
	}
	f.Fuzz(func(t *testing.T, first, second string) {
		directory := t.TempDir()
		dumptest.Write(t, directory, map[string]string{"first.csv": first, "second.tsv": second})
		text, err := Directory(t.Context(), Options{Directory: directory, Name: "guess.yaml"})
		if err != nil {
			if !errors.As(err, new(*source.FileError)) {
				t.Fatalf("%v, for %q and %q", err, first, second)
			}
			return
		}
		path := filepath.Join(t.TempDir(), "guess.yaml")
		if err := os.WriteFile(path, text, 0o600); err != nil {
			t.Fatal(err)
		}
		d, err := dump.Open(t.Context(), dump.Options{Directory: directory, Shape: path, Logger: slog.New(slog.DiscardHandler)})
		if err != nil {
			t.Fatalf("%v, for %q and %q:\n%s", err, first, second, text)
		}
		d.Close()
	})
}
