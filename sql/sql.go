// Package sql is the contract between etl and api: the schema's migrations, every
// statement that either program sends, and the names of the tables that a run creates.
//
// The statements are embedded files, query/<program>/<what it does>.sql.
// Names that are only known at run time stand in them as :"name", which is how psql
// writes a quoted identifier, so each file can be tried in psql with \set name value.
// Values are parameters; a constant that identifies the statement itself stands in it as :'name', a quoted literal.
package sql

import (
	"embed"
	"fmt"
	"strings"

	"github.com/jackc/pgx/v5"
)

// Roles that bootstrap.sql creates.
const (
	RoleETL = "systemscale_etl" // owns the schema and writes
	RoleAPI = "systemscale_api" // may only read
)

// VersionChannel is what the ETL notifies when a version goes live, with the collection's name. It is a hint to look at the pointer
// row at once, and may be lost.
const VersionChannel = "catalog_version"

// AnchorEvery is how many documents lie between two page anchors. A page reads fewer rows than this before its
// first.
const AnchorEvery = 100

// MaxNameLength is the longest name of a collection or of a document, in bytes. Two of them and a
// generation number of 19 digits stay within Postgres's 63 bytes for an identifier.
const MaxNameLength = 20

// Bootstrap creates the two roles where they are missing. It needs the right to create roles.
//
//go:embed bootstrap.sql
var Bootstrap string

// Migrations holds the schema's migrations under "migrations".
//
//go:embed migrations/*.sql
var Migrations embed.FS

//go:embed query/*/*.sql
var queries embed.FS

// Query returns the statement query/<name>.sql, such as etl/begin. It panics if there is none, which a test rules out.
func Query(name string) string {
	text, err := queries.ReadFile("query/" + name + ".sql")
	if err != nil {
		panic("BUG: " + err.Error())
	}
	return strings.TrimSpace(string(text))
}

// QueryFor returns the statement query/<name>.sql with each :"key" replaced by what follows the key in pairs, as a quoted
// identifier, and each :'key' by the same as a quoted literal.
func QueryFor(name string, pairs ...string) string {
	text := Query(name)
	for i := 0; i+1 < len(pairs); i += 2 {
		text = strings.ReplaceAll(text, `:"`+pairs[i]+`"`, pgx.Identifier{pairs[i+1]}.Sanitize())
		text = strings.ReplaceAll(text, `:'`+pairs[i]+`'`, `'`+strings.ReplaceAll(pairs[i+1], `'`, `''`)+`'`)
	}
	return text
}

// DocumentTable returns the unqualified name of the table, in the schema catalog, that holds the documents of one endpoint
// and generation.
func DocumentTable(collection, endpoint string, generation int64) string {
	return fmt.Sprintf("%s_%s_g%d", collection, endpoint, generation)
}

// HoldTable returns the unqualified name of the table, in the schema catalog, that a run of the collection locks.
func HoldTable(collection string) string { return collection + "_hold" }

// Endpoint is one element of the version row's column documents: a live endpoint.
type Endpoint struct {
	Name string `json:"name"`           // as in the shape file and in the table's name
	Path string `json:"path"`           // follows /{collection}/{id}/ in the URL; empty for /{collection}/{id}
	List bool   `json:"list,omitempty"` // served in pages at /{collection}; Path is not used

	// Schema is the JSON Schema of the body, as text; of a list, of one element. It is empty if an older build published the endpoint.
	Schema string `json:"schema,omitempty"`
}

// SameAddress reports whether e and other have the same name and address.
func (e Endpoint) SameAddress(other Endpoint) bool {
	return e.Name == other.Name && e.Path == other.Path && e.List == other.List
}
