package command

import (
	"context"
	"errors"
)

type refreshCommand struct {
	Database   databaseFlags `embed:""`
	Gateways   gatewayFlags  `embed:""`
	Collection string        `default:"products" placeholder:"NAME" help:"Collection whose changed documents to refresh. Default: ${default}."`
}

func (c *refreshCommand) Help() string {
	return `Refreshes, in the caches of gateways, the copies of documents that changed since the last refresh, as a run does after it has
published: for a gateway that was not reachable then, or when the run was ended in between. In a new gateway, the changes of the live
version are refreshed. The command needs no CSV and publishes nothing. It may be used at any time.

The pages of lists and change feeds have too many addresses to look up: a gateway drops its copies of all of them at once.

Example:
  etl refresh --gateway http://127.0.0.1:8281
  GATEWAYS=http://gateway-a:8281,http://gateway-b:8281 etl refresh --collection books`
}

// Validate is called by kong after parsing.
func (c *refreshCommand) Validate() error {
	if len(c.Gateways.gateways()) == 0 {
		return errors.New("--gateway or GATEWAYS must name a gateway")
	}
	return c.Gateways.check()
}

// Run refreshes the gateways.
func (c *refreshCommand) Run(ctx context.Context, out *output) error {
	c.Gateways.warnOfOldNames(out)
	if err := c.Gateways.refresh(ctx, out, c.Database.URL, c.Collection); err != nil {
		return &refreshError{err}
	}
	return nil
}
