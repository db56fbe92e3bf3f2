package dump

import (
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/goccy/go-json"
	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"systemscale/etl/internal/shape"
	"systemscale/etl/internal/source"
	"systemscale/etl/shapes/shapestest"
	"systemscale/sql"
)

// wanted is the want.json of a case: what its shape file makes of its data files.
type wanted struct {
	Documents map[string]any        `json:"documents"` // by address; the addresses that are not named are not checked
	Lists     map[string][]any      `json:"lists"`     // all elements, by address
	Counts    map[string]caseCounts `json:"counts"`    // by source; a source that is not named has no rejected row
	Error     []string              `json:"error"`     // parts of the message of Open or Pass; then there is no document
}

// caseCounts are the counts of a source that a case checks, if they are given.
type caseCounts struct {
	Used     int64                   `json:"used"`
	Filtered map[string]int64        `json:"filtered"`
	Rejected map[source.Reason]int64 `json:"rejected"`

	WithoutParent int64 `json:"without_parent"`
}

// TestCases renders the dump of each directory in testdata/cases and etl/shapes, and compares the documents, the lists and the counts with
// its want.json.
func TestCases(t *testing.T) {
	for _, directory := range shapestest.Cases(t, "../..") {
		t.Run(filepath.Base(directory), func(t *testing.T) {
			want := readWanted(t, directory)
			d, documents, lists, err := renderCase(t, directory)
			if len(want.Error) > 0 {
				for _, part := range want.Error {
					if err == nil || !strings.Contains(err.Error(), part) {
						t.Errorf("error %v, want one with %q", err, part)
					}
				}
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			for address, document := range want.Documents {
				if diff := cmp.Diff(document, documents[address]); diff != "" {
					t.Errorf("%s: want (-), got (+)\n%s", address, diff)
				}
			}
			for address, elements := range want.Lists {
				if diff := cmp.Diff(elements, lists[address]); diff != "" {
					t.Errorf("%s: want (-), got (+)\n%s", address, diff)
				}
			}
			checkCounts(t, d, want)
		})
	}
}

// checkCounts compares the counts of every source.
func checkCounts(t *testing.T, d *Dump, want wanted) {
	t.Helper()
	for i, counts := range d.Counts() {
		name := d.Spec().Sources[i].Name
		wants, named := want.Counts[name]
		if named && counts.Used != wants.Used {
			t.Errorf("source %s: %d rows used, want %d", name, counts.Used, wants.Used)
		}
		if wants.Filtered != nil {
			if diff := cmp.Diff(wants.Filtered, counts.Filtered); diff != "" {
				t.Errorf("source %s, filtered: want (-), got (+)\n%s", name, diff)
			}
		}
		if diff := cmp.Diff(wants.Rejected, counts.Rejected, cmpopts.EquateEmpty()); diff != "" {
			t.Errorf("source %s, rejected: want (-), got (+)\n%s", name, diff)
		}
		if counts.WithoutParent != wants.WithoutParent {
			t.Errorf("source %s: %d rows without a parent, want %d", name, counts.WithoutParent, wants.WithoutParent)
		}
		if n := counts.Unreconciled(); n != 0 {
			t.Errorf("source %s: %d rows are not reconciled", name, n)
		}
	}
}

func readWanted(t *testing.T, directory string) wanted {
	t.Helper()
	text, err := os.ReadFile(filepath.Join(directory, "want.json"))
	if err != nil {
		t.Fatal(err)
	}
	var want wanted
	decoder := json.NewDecoder(strings.NewReader(string(text)))
	decoder.DisallowUnknownFields()
	decoder.UseNumber()
	if err := decoder.Decode(&want); err != nil {
		t.Fatalf("%s/want.json: %v", directory, err)
	}
	return want
}

// renderCase returns the documents and the lists of a case, by address, and the Dump of the last attempt.
func renderCase(t *testing.T, directory string) (last *Dump, documents map[string]any, lists map[string][]any, err error) {
	t.Helper()
	d, err := Open(t.Context(), Options{
		Directory: directory, Shape: filepath.Join(directory, "shape.yaml"), Temp: t.TempDir(), Logger: slog.New(slog.DiscardHandler),
	})
	if err != nil {
		return nil, nil, nil, err
	}
	defer d.Close()
	err = d.Arranged(t.Context(), func(d *Dump) error {
		last, documents, lists = d, map[string]any{}, map[string][]any{}
		spec := d.Spec()
		return d.Pass(t.Context(), Handlers{Document: func(of int, id sql.ID, _ uint64, body []byte) error {
			var value any
			decoder := json.NewDecoder(strings.NewReader(string(body)))
			decoder.UseNumber()
			if err := decoder.Decode(&value); err != nil {
				return fmt.Errorf("%s of %s is no JSON: %w: %s", spec.Endpoints[of].Name, id, err, body)
			}
			if endpoint := &spec.Endpoints[of]; endpoint.List {
				lists["/"+spec.Collection] = append(lists["/"+spec.Collection], value)
			} else {
				documents[address(spec, endpoint, id.String())] = value
			}
			return nil
		}})
	})
	if err == nil && last == nil {
		err = errors.New("no attempt was made")
	}
	return last, documents, lists, err
}

// address returns the path of the document of an item.
func address(spec *shape.Shape, endpoint *shape.Endpoint, id string) string {
	path := "/" + spec.Collection + "/" + id
	if endpoint.Path != "" {
		path += "/" + endpoint.Path
	}
	return path
}
