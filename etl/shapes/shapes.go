// Package shapes contains the built-in shape file, the catalog of products, and the JSON Schema of shape files, which editors use.
package shapes

import _ "embed"

// ProductsName is the name of the built-in shape file in messages.
const ProductsName = "products.yaml (built in)"

// Products is the text of the built-in shape file.
//
//go:embed products.yaml
var Products []byte
