package shape_test

import (
	"fmt"

	"github.com/goccy/go-json"

	"systemscale/etl/internal/shape"
)

const books = `
collection: books
sources:
  book: {file: book.csv, key: id, columns: {id: int, title: text, price: money?}}
  page: {file: page.csv, key: id, parent: book, on: book_id, columns: {id: int, book_id: int, words: text}}
documents:
  book:
    path: ""
    body: {id: {text: id}, price: price, pages: {each: page, as: words}}
`

func ExampleParse() {
	spec, err := shape.Parse("books.yaml", []byte(books))
	if err != nil {
		fmt.Println(err)
		return
	}
	for _, source := range spec.Sources {
		fmt.Println(source.Name, "reads", source.File)
	}
	fmt.Printf("GET /%s/{id}%s\n", spec.Collection, spec.Endpoints[0].Path)
	// Output:
	// book reads book.csv
	// page reads page.csv
	// GET /books/{id}
}

func ExampleParse_error() {
	_, err := shape.Parse("books.yaml", []byte("collection: books\nsorces: {}\n"))
	fmt.Println(err)
	// Output:
	// books.yaml:2:1: a shape file has no setting "sorces"; it has collection, dialect, sources, documents
}

func ExampleShape_Schema() {
	spec, err := shape.Parse("books.yaml", []byte(books))
	if err != nil {
		fmt.Println(err)
		return
	}
	schema, err := json.MarshalIndent(spec.Schema(&spec.Endpoints[0]).Properties["price"], "", "  ")
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println(string(schema))
	// Output:
	// {
	//   "type": [
	//     "string",
	//     "null"
	//   ],
	//   "pattern": "^-?[0-9]+\\.[0-9]{2}$"
	// }
}
