package join_test

import (
	"errors"
	"fmt"
	"io"
	"strings"

	"systemscale/etl/internal/join"
	"systemscale/etl/internal/shape"
	"systemscale/etl/internal/source"
)

// The sources are read in step: each tree has one row of the root source and all rows below it.
func Example() {
	spec, err := shape.Parse("books.yaml", []byte(`
collection: books
sources:
  book: {file: book.csv, key: id, columns: {id: int, title: text}}
  page: {file: page.csv, key: id, parent: book, on: book_id, columns: {id: int, book_id: int, words: text}}
documents:
  book: {path: "", body: {title: title, pages: {each: page, as: words}}}
`))
	if err != nil {
		fmt.Println(err)
		return
	}
	files := map[string]string{
		"book.csv": "id,title\n1,Emma\n2,Walden\n",
		"page.csv": "id,book_id,words\n10,1,Emma Woodhouse\n11,1,handsome\n12,2,When I wrote\n",
	}
	var readers []*source.Reader
	for i := range spec.Sources {
		file := strings.NewReader(files[spec.Sources[i].File])
		reader, err := source.NewReader(file, &spec.Sources[i], &spec.Dialect, &source.RejectFiles{}, source.Options{})
		if err != nil {
			fmt.Println(err)
			return
		}
		readers = append(readers, reader)
	}
	joiner, err := join.New(spec.Sources, readers, join.Options{})
	if err != nil {
		fmt.Println(err)
		return
	}
	for {
		tree, err := joiner.Next()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			fmt.Println(err)
			return
		}
		fmt.Printf("book %s has %d pages\n", tree.ID(), tree.Size(1))
	}
	// Output:
	// book 1 has 2 pages
	// book 2 has 1 pages
}
