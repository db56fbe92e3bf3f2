package command

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"os"
	"strings"

	"golang.org/x/term"

	"systemscale/etl/internal/publish"
)

type dropCommand struct {
	Collection string        `arg:"" help:"Name of the collection."`
	Database   databaseFlags `embed:""`
	Yes        bool          `help:"Drop the collection without asking."`
}

func (c *dropCommand) Help() string {
	return `Removes a collection from the database: its documents, all versions of them, its runs, and the bookmarks of its gateways. It cannot
be undone. The API answers with 404 from then on; gateways serve their cached copies until they expire. The other collections, and the
CSV files, stay as they are. On a terminal it asks for the name of the collection; elsewhere it needs --yes.

Example:
  etl drop books`
}

// Run removes the collection.
func (c *dropCommand) Run(ctx context.Context, out *output) error {
	live, err := publish.Find(ctx, c.Database.URL, c.Collection)
	if err != nil {
		return err
	}
	if !c.Yes {
		if !term.IsTerminal(int(os.Stdin.Fd())) {
			return &usageError{fmt.Sprintf("%s is not dropped: pass --yes, because standard input is no terminal to ask on", c.Collection)}
		}
		if !confirmed(os.Stdin, out.stderr, c.Collection, live) {
			return &usageError{c.Collection + " is not dropped"}
		}
	}
	session, err := publish.Open(ctx, c.Database.URL, c.Collection, 1)
	if err != nil {
		return err
	}
	defer session.Close()
	if err := session.Drop(ctx); err != nil {
		return err
	}
	fmt.Fprintf(out.stdout, "%s: dropped, with all versions and runs\n", c.Collection)
	return nil
}

// confirmed asks whether to drop a collection.
func confirmed(in io.Reader, w io.Writer, collection string, live int64) bool {
	what := "nothing is published of it"
	if live != 0 {
		what = fmt.Sprintf("version %d is live", live)
	}
	fmt.Fprintf(w, "This removes the collection %s for good; %s. Type its name to continue: ", collection, what)
	line, _ := bufio.NewReader(in).ReadString('\n') // without an answer, it is not confirmed
	return strings.TrimSpace(line) == collection
}
