package openapi_test

import (
	"fmt"
	"strings"

	"systemscale/api/openapi"
)

// A published collection adds its addresses to the description.
func ExampleDescribe() {
	description := openapi.Describe(openapi.Collection{
		Name: "books",
		Endpoints: []openapi.Endpoint{
			{List: true},
			{Path: ""},
			{Path: "reviews"},
		},
	})
	for line := range strings.Lines(string(description)) {
		if strings.HasPrefix(line, "  /books") {
			fmt.Println(strings.TrimSpace(line))
		}
	}
	// Output:
	// /books:
	// /books/{id}:
	// /books/{id}/reviews:
	// /books/changes:
}
