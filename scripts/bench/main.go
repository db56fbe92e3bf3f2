// Command bench compares systemScale with the limits of the same machine in one run, so that the results are ratios, which depend less on
// the machine. It needs a Postgres as durable as in production, whose superuser is in TEST_DATABASE_URL: ./scripts/task bench:etl,
// bench:api and bench:size start one. The results are printed and written to a JSON file.
package main

import (
	"os"

	"github.com/alecthomas/kong"

	"systemscale/scripts/measure/commandline"
)

const description = `Measures systemScale against the limits of the machine, as ratios within one run.

Example:
  ./scripts/task bench:etl
  ./scripts/task bench:etl -- --crossover 1,2,5,10,20,30
  ./scripts/task bench:etl -- --memory 100000,1000000,3000000
  ./scripts/task bench:etl -- --variants --products 100000
  ./scripts/task bench:size -- --sizes 10000,100000
  ./scripts/task bench:api -- --products 100000 --rounds 1 --only hits,constant`

type arguments struct {
	ETL  etlCommand  `cmd:"" name:"etl" help:"${etl}"`
	API  apiCommand  `cmd:"" name:"api" help:"Measure the API and the gateway against pgbench, a plain handler and static files."`
	Size sizeCommand `cmd:"" name:"size" help:"${size}"`
}

// longHelp contains help texts that would make the lines of the flags too long.
var longHelp = kong.Vars{
	"etl": "Measure a full load, a plan and a nightly run against a bare COPY of the same documents, rendering alone, " +
		"and the same job in SQL.",
	"size":        "Measure lookups, a load, a plan and a nightly run with catalogs of several sizes, and whether a cost grows faster than it may.",
	"sizes":       "Numbers of products, ascending. The files of 3,000,000 need about 30 GB, and are removed before the next size.",
	"size_work":   "Directory for the catalogs, the programs and size.json.",
	"crossover":   "Measure only the duration of both ways of writing, with these shares of changed products, such as 1,2,5,10,20,30.",
	"subjects":    "lookups,uncached,random,revalidation,list,hits,zipf,constant",
	"connections": "Numbers of HTTP connections and pgbench clients. Each number is measured.",
	"work":        "Directory for the catalog, the programs and the results.",
	"products":    "Default: 1000011, the full size.", "products_default": "1000011", "work_default": ".run/bench",
	"admin":     "PostgreSQL server, as its superuser. The database bench is replaced.",
	"api_flags": "More flags for every API process, such as --api-flags=\"--connections 1 --batch 128\".",
	"memory":    "Measure only the peak memory, with catalogs of these sizes, such as 100000,1000000,3000000.",
	"variants":  "Measure only rendering, with the built-in shape, with texts as keys, with look-ups, and with aggregates.",
}

var program = commandline.Program{
	Name: "bench", Description: description, Texts: longHelp, Arguments: func() any { return &arguments{} },
}

func main() { os.Exit(program.Run()) }
