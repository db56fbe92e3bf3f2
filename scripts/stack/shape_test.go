package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func TestReadCollection(t *testing.T) {
	directory := t.TempDir()
	for _, test := range []struct{ name, text, csv, want, message string }{
		{"plain", "# x\ncollection: books   # comment\nsources: {}\n", directory, "books", ""},
		{"in quotes", "collection: \"books\"\n", directory, "books", ""},
		{"no collection", "sources: {}\n", directory, "", "has no line with its collection"},
		{"no files", "collection: books\n", "", "", "SHAPE needs CSV=DIR"},
		{"no directory", "collection: books\n", filepath.Join(directory, "missing"), "", "there is no directory"},
	} {
		t.Run(test.name, func(t *testing.T) {
			shape := filepath.Join(directory, "shape.yaml")
			if err := os.WriteFile(shape, []byte(test.text), 0o600); err != nil {
				t.Fatal(err)
			}
			got, err := readCollection(shape, test.csv)
			if test.message == "" && (err != nil || got != collection{test.want, shape, directory}) {
				t.Errorf("%+v, %v", got, err)
			}
			if test.message != "" && (err == nil || !strings.Contains(err.Error(), test.message)) {
				t.Errorf("error %v, want %q in it", err, test.message)
			}
		})
	}
	if _, err := readCollection(filepath.Join(directory, "missing.yaml"), directory); err == nil || !strings.Contains(err.Error(), "SHAPE: ") {
		t.Errorf("no shape file: %v", err)
	}
}

func TestNeedsCatalog(t *testing.T) {
	loaded, books := catalog{Directory: "/files"}, []collection{{Name: "books"}}
	for _, test := range []struct {
		name    string
		command upCommand
		state   state
		want    bool
	}{
		{"the first up", upCommand{}, state{}, true},
		{"the first up, with a shape", upCommand{Shape: "books.yaml"}, state{}, false},
		{"a shape beside a catalog", upCommand{Shape: "books.yaml"}, state{Catalog: loaded}, true},
		{"again, without a catalog", upCommand{}, state{Collections: books}, false},
		{"a catalog beside a shape", upCommand{Products: 60}, state{Collections: books}, true},
		{"an interrupted load", upCommand{}, state{Loading: loaded, Collections: books}, true},
	} {
		if got := test.command.needsCatalog(&test.state); got != test.want {
			t.Errorf("%s: %v, want %v", test.name, got, test.want)
		}
	}
}
