// Package openapi holds the description of the API, for whoever serves it and for whoever checks it.
package openapi

import _ "embed"

// YAML is the description, an OpenAPI 3.1 document. It must not be changed.
//
//go:embed openapi.yaml
var YAML []byte
