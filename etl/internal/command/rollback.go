package command

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/dustin/go-humanize"

	"systemscale/etl/internal/publish"
)

type rollbackCommand struct {
	Database   databaseFlags  `embed:""`
	Retention  retentionFlags `embed:""`
	Gateways   gatewayFlags   `embed:""`
	Metrics    metricsFlags   `embed:""`
	Collection string         `default:"products" placeholder:"NAME" help:"Collection to roll back. Default: ${default}."`
	Reason     string         `placeholder:"TEXT" help:"Why, for the hold. Default: the versions."`
	OtherDump  bool           `name:"release-on-new-dump" help:"A run with another dump than that of the last run ends the hold."`
	NoHold     bool           `help:"Set no hold: the next run may publish any dump."`
	To         int64          `placeholder:"RUN" help:"Run whose version to return to; etl history lists them. Default: the version before the live one."`
}

func (c *rollbackCommand) Help() string {
	return `Makes an earlier version live again, in seconds and without any CSV. A rollback is a run that publishes a version, and can
be rolled back.

It also puts the collection on hold, so that the next scheduled run does not publish the same dump again: etl run ends with exit code 7
until etl release.

Example:
  etl rollback --reason "prices of supplier B are wrong"
  etl rollback --to 17 --release-on-new-dump`
}

// Validate is called by kong after parsing.
func (c *rollbackCommand) Validate() error {
	if c.To < 0 {
		return fmt.Errorf("--to must be a run, which etl history lists, not %d", c.To)
	}
	if c.NoHold && (c.Reason != "" || c.OtherDump) {
		return errors.New("--no-hold sets no hold, so --reason and --release-on-new-dump do not apply")
	}
	return errors.Join(c.Retention.check(), c.Gateways.check())
}

// Run returns to an earlier version.
func (c *rollbackCommand) Run(ctx context.Context, out *output) error {
	began := time.Now()
	out.metrics = newMetrics(c.Metrics, c.Collection)
	c.Gateways.warnOfOldNames(out)
	session, err := publish.OpenPublished(ctx, c.Database.URL, c.Collection, c.Retention.Keep)
	if err != nil {
		return err
	}
	defer session.Close()
	if err := c.Gateways.register(ctx, session); err != nil {
		return err
	}
	target, err := session.Target(ctx, c.To)
	if err != nil {
		return err
	}
	run, err := session.Begin(ctx, publish.Rollback)
	if err != nil {
		return err
	}
	var hold *publish.HoldRequest
	if !c.NoHold {
		reason := cmp.Or(c.Reason, fmt.Sprintf("rolled back from version %d to %d", session.Live().Run, target.Run))
		hold = &publish.HoldRequest{Reason: reason, OtherDump: c.OtherDump}
	}
	published, changes, err := run.PublishRollback(ctx, target, hold)
	if err != nil {
		return errors.Join(err, run.Abort(err, publish.Record{}))
	}
	table := [][]string{{"document", "rows", "added", "changed", "removed"}}
	for i, d := range changes.Endpoints {
		table = append(table, []string{
			d.Name, humanize.Comma(published.Tables[i].Rows), humanize.Comma(d.Added), humanize.Comma(d.Changed), humanize.Comma(d.Removed),
		})
	}
	writeTable(out.stdout, table)
	fmt.Fprintf(out.stdout, "\n%s: version %d is published, with the documents of version %d. %.1f s\n",
		c.Collection, published.Run, target.Run, time.Since(began).Seconds())
	if hold != nil {
		writeHold(out, c.Collection, c.OtherDump)
	}
	out.metrics.changes(changes)
	out.metrics.onHold(hold != nil)
	session.Close()
	c.Gateways.warn(out, c.Gateways.refresh(ctx, out, c.Database.URL, c.Collection))
	return nil
}
