package command

import (
	"context"
	"errors"
)

type refreshCommand struct {
	database
	caches
	Collection string `default:"products" placeholder:"NAME" help:"Collection whose changes to tell. Default: ${default}."`
}

func (c *refreshCommand) Help() string {
	return `Tells NGINX cache nodes which documents changed since they were told last, as a run does behind its publication: for a node that was
away then, or when a run was ended in between. A node that was never told is told of the last version. It needs no CSV, publishes
nothing, and may be used at any time.

The pages of lists and change feeds have too many addresses to look for: a node gives up its copies of all of them at once.

Example:
  etl refresh --cache http://127.0.0.1:8281
  CACHE_NODES=http://cache-a:8281,http://cache-b:8281 etl refresh --collection books`
}

// Validate is called by kong once the flags are read.
func (c *refreshCommand) Validate() error {
	if len(c.Cache) == 0 {
		return errors.New("--cache or CACHE_NODES must name a cache node")
	}
	return c.caches.check()
}

// Run tells the caches.
func (c *refreshCommand) Run(ctx context.Context, out *output) error {
	if err := c.tell(ctx, out, c.URL, c.Collection); err != nil {
		return &untoldError{err}
	}
	return nil
}

// untoldError means that some cache was not told all that changed.
type untoldError struct{ error }

func (e *untoldError) Unwrap() error { return e.error }
