package plan

import (
	"strings"

	"systemscale/etl/internal/shape"
	"systemscale/sql"
)

// Address returns the address of a document in the API, as a URI template.
func Address(spec *shape.Shape, d shape.Endpoint) string {
	switch {
	case d.List:
		return "/" + spec.Collection + "?page={page}&count={count}"
	case d.Path == "":
		return "/" + spec.Collection + "/{id}"
	}
	return "/" + spec.Collection + "/{id}/" + d.Path
}

// AddressOf returns the address of an item's document. For the list, it is the address of the item.
func AddressOf(spec *shape.Shape, d shape.Endpoint, id sql.ID) string {
	if d.List {
		d.List, d.Path = false, ""
	}
	return strings.ReplaceAll(Address(spec, d), "{id}", string(id.AppendPath(nil)))
}
