package command

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"systemscale/etl/internal/publish"
)

type holdCommand struct {
	Database   databaseFlags `embed:""`
	Collection string        `default:"products" placeholder:"NAME" help:"Collection to put on hold. Default: ${default}."`
	Reason     string        `required:"" placeholder:"TEXT" help:"Why, for those who see that nothing is published."`
	OtherDump  bool          `name:"release-on-new-dump" help:"A run with another dump than that of the last run ends the hold."`
}

func (c *holdCommand) Help() string {
	return `Puts a collection on hold: etl run ends with exit code 7, before it reads the files, until etl release. A run in progress ends
without publishing. The live version is served as before. A second hold replaces the first.

Example:
  etl hold --reason "supplier B delivers again on Monday"`
}

// Validate is called by kong after parsing.
func (c *holdCommand) Validate() error {
	if strings.TrimSpace(c.Reason) == "" {
		return errors.New("--reason must not be empty")
	}
	return nil
}

// Run sets the hold.
func (c *holdCommand) Run(ctx context.Context, out *output) error {
	err := publish.SetHold(ctx, c.Database.URL, c.Collection, publish.HoldRequest{Reason: c.Reason, OtherDump: c.OtherDump})
	if err == nil {
		writeHold(out, c.Collection, c.OtherDump)
	}
	return err
}

// writeHold reports a hold that was set.
func writeHold(out *output, collection string, otherDump bool) {
	by := "etl release --collection " + collection
	if otherDump {
		by = "a run with another dump, or " + by
	}
	fmt.Fprintf(out.stdout, "Runs of %s are on hold, until %s.\n", collection, by)
}

type releaseCommand struct {
	Database   databaseFlags `embed:""`
	Collection string        `default:"products" placeholder:"NAME" help:"Collection to release. Default: ${default}."`
}

func (c *releaseCommand) Help() string {
	return `Ends the hold of a collection, which etl rollback or etl hold has set. The next run publishes again.

Example:
  etl release`
}

// Run ends the hold.
func (c *releaseCommand) Run(ctx context.Context, out *output) error {
	if _, err := publish.Find(ctx, c.Database.URL, c.Collection); err != nil {
		return err
	}
	hold, err := publish.Release(ctx, c.Database.URL, c.Collection)
	switch {
	case err != nil:
		return err
	case hold == nil:
		fmt.Fprintf(out.stdout, "Runs of %s are not on hold.\n", c.Collection)
	default:
		fmt.Fprintf(out.stdout, "Runs of %s are no longer on hold. It was set %s, by %s: %s\n",
			c.Collection, hold.Since.Format(time.RFC3339), hold.Author, hold.Reason)
	}
	return nil
}
