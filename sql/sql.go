// Package sql is the contract between etl and api: the migrations of the schema, the statements of both programs, and the names of
// the tables that runs create.
//
// The statements are embedded files, query/<program>/<action>.sql. They contain names that are known only at run time as :"name",
// psql's notation of a quoted identifier, so psql can run each file after \set name value. Values are parameters. The constant that
// identifies a statement in its result is written :'name', a quoted literal.
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
	RoleAPI = "systemscale_api" // can only read
)

// VersionChannel is the channel on which the ETL sends the name of a collection when a version of it goes live. A notification may be
// lost, so listeners must also poll the version row.
const VersionChannel = "catalog_version"

// AnchorEvery is the number of documents between two page anchors. A request for a page skips fewer rows than that.
const AnchorEvery = 100

// MaxNameLength is the maximal length, in bytes, of the name of a collection or an endpoint. Two such names and a
// generation of 19 digits fit into PostgreSQL's 63 bytes for an identifier.
const MaxNameLength = 20

// Bootstrap creates the two roles unless they exist. It needs the right to create roles.
//
//go:embed bootstrap.sql
var Bootstrap string

// Migrations holds the schema's migrations under "migrations".
//
//go:embed migrations/*.sql
var Migrations embed.FS

//go:embed query/*/*.sql
var queries embed.FS

// Query returns the statement query/<name>.sql, such as etl/begin. It panics if there is none; a test checks all names.
func Query(name string) string { return Read(queries, name) }

// Read returns the statement query/<name>.sql of other files, with the names replaced as QueryFor does. It panics if there is none.
func Read(files embed.FS, name string, pairs ...string) string {
	text, err := files.ReadFile("query/" + name + ".sql")
	if err != nil {
		panic("BUG: " + err.Error())
	}
	return Fill(strings.TrimSpace(string(text)), pairs...)
}

// QueryFor returns the statement query/<name>.sql. pairs alternates keys and values. Each :"key" is replaced by the value as a
// quoted identifier, each :'key' by the value as a quoted literal.
func QueryFor(name string, pairs ...string) string { return Fill(Query(name), pairs...) }

// Fill replaces the names in a statement as QueryFor does.
func Fill(text string, pairs ...string) string {
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

// ChangeTable returns the unqualified name of the change log, in the schema catalog, of a collection. See Endpoint.IDParts.
func ChangeTable(idParts int) string { return textTable("change", idParts) }

// AnchorTable returns the unqualified name of the table, in the schema catalog, that holds the page anchors of a collection.
func AnchorTable(idParts int) string { return textTable("page_anchor", idParts) }

func textTable(name string, idParts int) string {
	if idParts > 0 {
		return "text_" + name
	}
	return name
}

// HoldTable returns the unqualified name of the table, in the schema catalog, that a run of the collection locks.
func HoldTable(collection string) string { return collection + "_hold" }

// Endpoint is one element of the version row's column documents: a live endpoint.
type Endpoint struct {
	Name string `json:"name"`           // as in the shape file and in the table's name
	Path string `json:"path"`           // follows /{collection}/{id}/ in the URL; empty for /{collection}/{id}
	List bool   `json:"list,omitempty"` // served in pages at /{collection}; Path is not used

	// IDParts is the number of parts of an id that is a text, and 0 if the ids are integers. It is equal for all endpoints of a collection.
	IDParts int `json:"id_parts,omitempty"`

	// Schema is the JSON Schema of the body, as text; of a list, of one element. It is empty if an older build published the endpoint.
	Schema string `json:"schema,omitempty"`
}

// SameAddress reports whether e and other have the same name and address.
func (e Endpoint) SameAddress(other Endpoint) bool {
	return e.Name == other.Name && e.Path == other.Path && e.List == other.List
}
