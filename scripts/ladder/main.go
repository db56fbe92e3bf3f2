// Command ladder climbs from joins at request time, one rung at a time, to precomputed documents behind a cache. It measures every rung with
// the same data and the same requests, and writes a report. Before a rung is measured, its answers are compared with the published documents.
// It needs a PostgreSQL server as durable as in production, whose superuser is in TEST_DATABASE_URL: ./scripts/task ladder starts one.
package main

import (
	"os"

	"github.com/alecthomas/kong"

	"systemscale/scripts/measure/commandline"
)

const description = `Measures the rungs of the ladder: ways to answer the same requests, from joins at request time to cached documents.

Example:
  ./scripts/task ladder
  ./scripts/task ladder -- --products 10000 --rounds 1 --rungs joins,api
  ./scripts/task ladder:docs`

type arguments struct {
	Climb  climbCommand  `cmd:"" default:"withargs" help:"Measure the rungs and write the report (the default command)."`
	Report reportCommand `cmd:"" help:"Write the tables and charts of an earlier climb again, without measuring."`
}

// longHelp contains help texts that would make the lines of the flags too long.
var longHelp = kong.Vars{
	"products":         "Default: 100000, with --quick 1000, and with --full 1000011.",
	"products_default": "0",
	"work":             "Directory for the catalog, the programs and the results.",
	"work_default":     ".run/ladder",
	"admin":            "PostgreSQL server, as its superuser. The database bench is replaced.",
	"rungs":            "Measure only these rungs, by name or letter, such as joins,f.",
	"docs":             "Instead, update ladder.md, its charts and the chart of README.md in this clone of the repository.",
	"quick":            "Compare the answers of every rung with 1,000 products, and load each only for a moment.",
}

var program = commandline.Program{
	Name: "ladder", Description: description, Texts: longHelp, Arguments: func() any { return &arguments{} },
}

func main() { os.Exit(program.Run()) }
