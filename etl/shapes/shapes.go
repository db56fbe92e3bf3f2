// Package shapes holds the shape file that is built in: the catalog of products.
package shapes

import _ "embed"

// ProductsName is what the built-in shape file is called in messages.
const ProductsName = "products.yaml (built in)"

// Products is the text of the built-in shape file.
//
//go:embed products.yaml
var Products []byte
