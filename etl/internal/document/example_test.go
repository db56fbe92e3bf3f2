package document_test

import (
	"fmt"
	"strings"

	"systemscale/etl/internal/document"
	"systemscale/etl/internal/join"
	"systemscale/etl/internal/shape"
	"systemscale/etl/internal/source"
)

func ExampleRenderer() {
	spec, err := shape.Parse("books.yaml", []byte(`
collection: books
sources:
  book: {file: book.csv, key: id, columns: {id: int, title: text, price: money}}
documents:
  book: {path: "", body: {id: {text: id}, title: title, price: price}}
`))
	if err != nil {
		fmt.Println(err)
		return
	}
	file := strings.NewReader("id,title,price\n1,\"Emma\",9.5\n")
	reader, err := source.NewReader(file, &spec.Sources[0], &spec.Dialect, &source.RejectFiles{}, source.Options{})
	if err != nil {
		fmt.Println(err)
		return
	}
	joiner, err := join.New(spec.Sources, []*source.Reader{reader}, join.Options{})
	if err != nil {
		fmt.Println(err)
		return
	}
	tree, err := joiner.Next()
	if err != nil {
		fmt.Println(err)
		return
	}
	renderer := document.New(spec, &spec.Endpoints[0])
	body := renderer.Append(nil, tree)
	fmt.Printf("%s\n", body)
	// Output:
	// {"id":"1","title":"Emma","price":"9.50"}
}
