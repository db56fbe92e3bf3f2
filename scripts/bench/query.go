package main

import (
	"embed"

	"systemscale/sql"
)

//go:embed query/*.sql
var queries embed.FS

// query returns a statement of this program. See sql.Read.
func query(name string, pairs ...string) string { return sql.Read(queries, name, pairs...) }
