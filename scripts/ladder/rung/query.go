package rung

import (
	"embed"

	"systemscale/sql"
)

//go:embed query/*.sql query/*/*.sql
var queries embed.FS

// query returns query/<name>.sql with each :"key" replaced by the quoted identifier that follows the key in pairs.
func query(name string, pairs ...string) string {
	text, err := queries.ReadFile("query/" + name + ".sql")
	if err != nil {
		panic("BUG: " + err.Error())
	}
	return sql.Fill(string(text), pairs...)
}
