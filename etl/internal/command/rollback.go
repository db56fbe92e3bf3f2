package command

import (
	"context"
	"errors"
	"fmt"
	"time"

	"systemscale/etl/internal/publish"
)

// retention is the flag of whatever publishes.
type retention struct {
	Keep int `default:"3" placeholder:"N" help:"Versions before the live one that etl rollback can return to. Default: ${default}."`
}

func (r *retention) check() error {
	if r.Keep < 1 || r.Keep > 100 {
		return fmt.Errorf("--keep must be between 1 and 100, not %d", r.Keep)
	}
	return nil
}

type rollbackCommand struct {
	database
	retention
	caches
	measuring
	Collection string `default:"products" placeholder:"NAME" help:"Collection to roll back. Default: ${default}."`
	To         int64  `placeholder:"RUN" help:"Run whose version to return to; etl history lists them. Default: the version before the live one."`
}

func (c *rollbackCommand) Help() string {
	return `Makes a version live again that is kept, in seconds and without any CSV. It is a run itself, with a version of its own, and can
be rolled back.

Example:
  etl rollback
  etl rollback --to 17`
}

// Validate is called by kong once the flags are read.
func (c *rollbackCommand) Validate() error {
	if c.To < 0 {
		return fmt.Errorf("--to must be a run, which etl history lists, not %d", c.To)
	}
	return errors.Join(c.retention.check(), c.caches.check())
}

// Run returns to an earlier version.
func (c *rollbackCommand) Run(ctx context.Context, out *output) (err error) {
	began := time.Now()
	out.measure(c.measuring, c.Collection)
	session, err := publish.OpenPublished(ctx, c.URL, c.Collection, c.Keep)
	if err != nil {
		return ofDatabase(err)
	}
	defer session.Close()
	if err := c.register(ctx, session); err != nil {
		return err
	}
	target, err := session.Target(ctx, c.To)
	if err != nil {
		return ofDatabase(err)
	}
	run, err := session.Begin(ctx, publish.Rollback)
	if err != nil {
		return ofDatabase(err)
	}
	published, changes, err := run.PublishRollback(ctx, target)
	if err != nil {
		return errors.Join(ofDatabase(err), run.Abort(err, publish.Record{}))
	}
	table := [][]string{{"document", "rows", "added", "changed", "removed"}}
	for i, d := range changes.Documents {
		table = append(table, []string{d.Name, count(published.Documents[i].Rows), count(d.Added), count(d.Changed), count(d.Removed)})
	}
	writeTable(out.stdout, table)
	fmt.Fprintf(out.stdout, "\n%s: version %d is published, with the documents of version %d. %.1f s\n", c.Collection, published.Run, target.Run, time.Since(began).Seconds())
	out.metrics.changes(changes)
	session.Close()
	c.warn(out, c.tell(ctx, out, c.URL, c.Collection))
	return nil
}
