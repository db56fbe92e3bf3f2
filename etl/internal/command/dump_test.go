package command

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"systemscale/etl/internal/dump/dumptest"
	"systemscale/etl/internal/shape"
)

func put(t *testing.T, path string, text []byte) {
	t.Helper()
	if err := os.WriteFile(path, text, 0o600); err != nil {
		t.Fatal(err)
	}
}

// rendered returns the files that etl render writes for a directory.
func rendered(t *testing.T, directory string) map[string]string {
	t.Helper()
	out := t.TempDir()
	if code, _, stderr := etl(t.Context(), "render", "--csv", directory, "--out", out); code != exitOK {
		t.Fatalf("exit code %d: %s", code, stderr)
	}
	files := map[string]string{}
	paths, err := filepath.Glob(filepath.Join(out, "*"))
	if err != nil || len(paths) != 4 {
		t.Fatalf("render wrote %v (%v), want four files", paths, err)
	}
	for _, path := range paths {
		text, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		files[filepath.Base(path)] = string(text)
	}
	return files
}

func TestCompressedFilesGiveTheSameDocuments(t *testing.T) {
	directory := t.TempDir()
	paths, err := filepath.Glob("../../testdata/v1/*.csv")
	if err != nil || len(paths) != 6 {
		t.Fatalf("testdata holds %v (%v)", paths, err)
	}
	for i, path := range paths {
		text, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		to := filepath.Join(directory, filepath.Base(path))
		half := len(text) / 2
		switch i % 3 {
		case 0:
			put(t, to+".gz", append(dumptest.Gzip(t, text[:half]), dumptest.Gzip(t, text[half:])...)) // two members, as of cat a.gz b.gz
		case 1:
			put(t, to+".zst", append(dumptest.Zstd(t, text[:half]), dumptest.Zstd(t, text[half:])...))
		default:
			put(t, to, text)
		}
	}
	got := rendered(t, directory)
	for name, want := range rendered(t, "../../testdata/v1") {
		if got[name] != want {
			t.Errorf("%s of compressed files differs", name)
		}
	}
}

// TestEqualShapesHaveEqualFingerprints compares a shape with one that differs in a comment, spaces and the name.
func TestEqualShapesHaveEqualFingerprints(t *testing.T) {
	fingerprintOf := func(name, text string) string {
		spec, err := shape.Parse(name, []byte(text))
		if err != nil {
			t.Fatal(err)
		}
		return shapeFingerprint(spec)
	}
	want := fingerprintOf("books.yaml", dumptest.Books)
	if got := fingerprintOf("other.yaml", "# about books\n"+strings.Replace(dumptest.Books, "title: text", "title:   text", 1)); got != want {
		t.Errorf("the fingerprint is %s, want %s", got, want)
	}
	if got := fingerprintOf("books.yaml", strings.Replace(dumptest.Books, "stars: {each", "marks: {each", 1)); got == want {
		t.Error("another shape has the same fingerprint")
	}
}

func TestOneFileInTwoForms(t *testing.T) {
	for _, beside := range []string{"", ".gz"} {
		directory := t.TempDir()
		dumptest.Write(t, directory, map[string]string{
			"books.yaml": dumptest.Books, "review.csv": "id,isbn,stars\n", "book.csv.zst": "", "book.csv" + beside: "",
		})
		code, _, stderr := etl(t.Context(), "render", "--csv", directory, "--shape", filepath.Join(directory, "books.yaml"))
		for _, want := range []string{
			filepath.Join(directory, "book.csv"+beside) + " and ", filepath.Join(directory, "book.csv.zst") + " both exist",
		} {
			if code != exitFiles || !strings.Contains(stderr, want) {
				t.Errorf("exit code %d, stderr %q, want %d and %q", code, stderr, exitFiles, want)
			}
		}
	}
}
