package rung

import "fmt"

// Endpoint is one of the catalog's endpoints.
type Endpoint string

// The endpoints. The values are the names of the documents in the shape file, except List, whose document is one element.
const (
	List    Endpoint = "list"
	Product Endpoint = "product"
	Styles  Endpoint = "styles"
	Related Endpoint = "related"
)

// Endpoints returns all endpoints.
func Endpoints() []Endpoint { return []Endpoint{List, Product, Styles, Related} }

// Request is a request to one of the endpoints.
type Request struct {
	Endpoint Endpoint
	ID       int64 // of the product, except for List
	Page     int   // for List, from 1 on
	Count    int   // for List, elements of a page
}

// Path returns the request's path and query.
func (r Request) Path() string {
	switch r.Endpoint {
	case List:
		return fmt.Sprintf("/products?page=%d&count=%d", r.Page, r.Count)
	case Product:
		return fmt.Sprintf("/products/%d", r.ID)
	case Styles, Related:
		return fmt.Sprintf("/products/%d/%s", r.ID, r.Endpoint)
	}
	panic("BUG: no such endpoint: " + string(r.Endpoint))
}
