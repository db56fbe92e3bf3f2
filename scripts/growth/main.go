// Command growth writes the page infra/docs/growth.md: what lookups and runs cost at several sizes, and what more traffic and more products
// need. The numbers are in infra/docs/growth.json. With --ladder and --size it first takes them from the reports of ./scripts/task ladder
// and ./scripts/task bench:size. It is run from the top directory of the repository: ./scripts/task growth does that.
package main

import (
	"fmt"
	"io"
	"os"
	"path/filepath"

	"github.com/alecthomas/kong"

	"systemscale/scripts/chart"
	"systemscale/scripts/growth/size"
	ladder "systemscale/scripts/ladder/report"
	"systemscale/scripts/page"
)

type arguments struct {
	Ladder string `placeholder:"FILE" help:"Take the costs of requests from this report of ./scripts/task ladder."`
	Size   string `placeholder:"FILE" help:"Take the costs of sizes from this report of ./scripts/task bench:size."`
	Docs   string `default:"infra/docs" placeholder:"DIR" help:"Directory of growth.md and growth.json. Default: ${default}."`
}

func main() {
	var cli arguments
	kong.Parse(&cli, kong.Name("growth"), kong.Description("Writes the page on growth, its charts, and the numbers that both are made of."))
	if err := cli.run(os.Stdout); err != nil {
		fmt.Fprintln(os.Stderr, "growth:", err)
		os.Exit(1)
	}
}

func (a *arguments) run(stdout io.Writer) error {
	path := filepath.Join(a.Docs, "growth.json")
	n, err := readNumbers(path)
	if err != nil {
		return err
	}
	if a.Ladder != "" {
		report, err := ladder.Read(a.Ladder)
		if err != nil {
			return err
		}
		if n.Ladder, err = requestsOf(report); err != nil {
			return fmt.Errorf("%s: %w", a.Ladder, err)
		}
	}
	if a.Size != "" {
		if n.Size, err = size.Read(a.Size); err != nil {
			return err
		}
	}
	if a.Ladder != "" || a.Size != "" {
		if err := n.write(path); err != nil {
			return err
		}
	}
	return a.writePage(n, stdout)
}

// writePage replaces the generated parts of the page, and the charts.
func (a *arguments) writePage(n *numbers, stdout io.Writer) error {
	path := filepath.Join(a.Docs, "growth.md")
	made, err := newContent(n)
	if err != nil {
		return err
	}
	if err := page.FillFile(path, made.parts); err != nil {
		return err
	}
	for name, c := range made.charts {
		if err := chart.Write(filepath.Join(a.Docs, pictures), name, c); err != nil {
			return err
		}
	}
	_, err = fmt.Fprintf(stdout, "wrote %s and %d charts\n", path, len(made.charts))
	return err
}
