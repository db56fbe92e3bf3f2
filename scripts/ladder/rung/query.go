package rung

import (
	"embed"

	"systemscale/sql"
)

//go:embed query/*.sql query/*/*.sql
var queries embed.FS

// query returns a statement of this package. See sql.Read.
func query(name string, pairs ...string) string { return sql.Read(queries, name, pairs...) }
