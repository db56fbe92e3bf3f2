package dump

import (
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"systemscale/etl/internal/source"
	"systemscale/sql"
)

// TestRejectsOfAFileOfTwoSources keeps a row that both sources reject once, and logs both rejects.
func TestRejectsOfAFileOfTwoSources(t *testing.T) {
	const directory = "testdata/cases/27_one_file_two_sources"
	d, err := Open(t.Context(), Options{
		Directory: directory, Shape: filepath.Join(directory, "shape.yaml"), Temp: t.TempDir(), Logger: slog.New(slog.DiscardHandler),
	})
	if err != nil {
		t.Fatal(err)
	}
	defer d.Close()
	var rejects *source.RejectFiles
	var labels []string
	err = d.Arranged(t.Context(), func(d *Dump) error {
		rejects = &source.RejectFiles{Directory: filepath.Join(t.TempDir(), "rejects")}
		if err := d.Pass(t.Context(), Handlers{Rejects: rejects, Document: func(int, sql.ID, uint64, []byte) error { return nil }}); err != nil {
			return err
		}
		labels = source.Labels(d.Counts())
		return rejects.Close()
	})
	if err != nil {
		t.Fatal(err)
	}
	if got := strings.Join(labels, ", "); got != "people.csv (person), people.csv (reports)" {
		t.Errorf("labels %s", got)
	}
	kept, err := os.ReadFile(filepath.Join(rejects.Directory, "people.csv"))
	if want := "1,Ada,NULL,10\n2,Bob,1,none\n"; err != nil || len(kept) != len(want) || !strings.Contains(string(kept), "2,Bob,1,none\n") {
		t.Errorf("the rejected rows are %q (%v), want %q in any order", kept, err, want)
	}
	log, err := os.ReadFile(filepath.Join(rejects.Directory, "rejects.ndjson"))
	for _, want := range []string{
		`{"file":"people.csv","source":"person","line":3,"offset":32,"column":"room","reason":"not an int","row":"2,Bob,1,none"}`,
		`{"file":"people.csv","source":"reports","line":3,"offset":32,"column":"room","reason":"not an int","row":"2,Bob,1,none"}`,
		`{"file":"people.csv","source":"reports","line":2,"offset":18,"column":"boss","reason":"null","row":"1,Ada,NULL,10"}`,
	} {
		if err != nil || !strings.Contains(string(log), want+"\n") {
			t.Errorf("the log is %s (%v), want %s", log, err, want)
		}
	}
	if first := strings.Join(rejects.First(), "; "); !strings.Contains(first, "people.csv:3: room not an int (reports): `2,Bob,1,none`") {
		t.Errorf("first %s", first)
	}
}
