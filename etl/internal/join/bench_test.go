package join

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"strings"
	"testing"

	"systemscale/etl/internal/shape"
	"systemscale/etl/internal/source"
)

// BenchmarkKeys joins the same rows, ten of them for each item, with keys of different types. The files are in order.
func BenchmarkKeys(b *testing.B) {
	const text = `
collection: test
sources:
  a: {file: a.csv, key: id, columns: {id: int, t: text}}
  b: {file: b.csv, key: id, parent: a, on: a, columns: {id: int, a: int, t: text}}
documents: {all: {path: "", body: {t: t, b: {each: b, as: t}}}}
`
	const items, rows = 20_000, 200_000
	var first, second bytes.Buffer
	first.WriteString("id,t\n")
	second.WriteString("id,a,t\n")
	for i := range items {
		fmt.Fprintf(&first, "%d,\"item\"\n", 100_000_000+i)
	}
	for i := range rows {
		fmt.Fprintf(&second, "%d,%d,\"XS\"\n", 100_000_000+i, 100_000_000+i*items/rows)
	}
	for _, c := range []struct{ name, old, new string }{
		{"ints", "", ""},
		{"texts", ": int", ": text"},
		{"a pair", "key: id, parent", "key: [a, id], parent"},
	} {
		spec, err := shape.Parse("bench.yaml", []byte(strings.ReplaceAll(text, c.old, c.new)))
		if c.old == "" {
			spec, err = shape.Parse("bench.yaml", []byte(text))
		}
		if err != nil {
			b.Fatal(err)
		}
		b.Run(c.name, func(b *testing.B) {
			b.SetBytes(int64(first.Len() + second.Len()))
			b.ReportAllocs()
			for b.Loop() {
				readers := make([]*source.Reader, 2)
				for i, file := range [][]byte{first.Bytes(), second.Bytes()} {
					input := bytes.NewReader(file)
					readers[i], err = source.NewReader(input, &spec.Sources[i], &spec.Dialect, source.Discard{}, source.Options{})
					if err != nil {
						b.Fatal(err)
					}
				}
				joiner, err := New(spec.Sources, readers, Options{})
				found := 0
				for err == nil {
					var tree *Tree
					if tree, err = joiner.Next(); err == nil {
						found += tree.Size(1)
					}
				}
				if !errors.Is(err, io.EOF) || found != rows {
					b.Fatalf("%d rows, %v", found, err)
				}
			}
		})
	}
}
