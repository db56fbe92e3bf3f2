// Package dumptest makes dumps for tests: a shape of two sources, files, and archives.
package dumptest

import (
	"bytes"
	"errors"
	"os"
	"path/filepath"
	"testing"

	"github.com/klauspost/compress/gzip"
	"github.com/klauspost/compress/zstd"
)

// Books is a shape file of books, in book.csv, with their reviews, in review.csv.
const Books = `
collection: books
sources:
  book:   {file: book.csv, key: isbn, columns: {isbn: int, title: text}}
  review: {file: review.csv, key: id, parent: book, on: isbn, columns: {id: int, isbn: int, stars: int}}
documents:
  reviews: {path: reviews, body: {book: title, stars: {each: review, as: stars}}}
`

// Write writes files, given by name, into a directory.
func Write(t testing.TB, directory string, files map[string]string) {
	t.Helper()
	for name, text := range files {
		if err := os.WriteFile(filepath.Join(directory, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
}

// Gzip compresses a text.
func Gzip(t testing.TB, text []byte) []byte {
	t.Helper()
	var out bytes.Buffer
	w := gzip.NewWriter(&out)
	_, err := w.Write(text)
	if err := errors.Join(err, w.Close()); err != nil {
		t.Fatal(err)
	}
	return out.Bytes()
}

// Zstd compresses a text.
func Zstd(t testing.TB, text []byte, options ...zstd.EOption) []byte {
	t.Helper()
	var out bytes.Buffer
	w, err := zstd.NewWriter(&out, options...)
	if err != nil {
		t.Fatal(err)
	}
	_, err = w.Write(text)
	if err := errors.Join(err, w.Close()); err != nil {
		t.Fatal(err)
	}
	return out.Bytes()
}
