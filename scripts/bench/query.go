package main

import (
	"embed"
	"strings"

	"github.com/jackc/pgx/v5"
)

//go:embed query/*.sql
var queries embed.FS

// query returns query/<name>.sql with each :"key" replaced by the quoted identifier that follows the key in pairs.
func query(name string, pairs ...string) string {
	text, err := queries.ReadFile("query/" + name + ".sql")
	if err != nil {
		panic("BUG: " + err.Error())
	}
	filled := string(text)
	for i := 0; i+1 < len(pairs); i += 2 {
		filled = strings.ReplaceAll(filled, `:"`+pairs[i]+`"`, pgx.Identifier{pairs[i+1]}.Sanitize())
	}
	return filled
}
