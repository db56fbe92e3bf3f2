package main

import (
	"context"
	"errors"
	"fmt"
	"strconv"

	"github.com/gofiber/fiber/v2"
	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"

	"systemscale/sql"
)

// poolServerCommand is the reference: the simplest server with the same libraries. It has a pool of connections, each with one query at a
// time, which pgx prepares.
type poolServerCommand struct {
	Database    string `required:"" env:"DATABASE_URL"`
	Table       string `required:"" help:"Table of the styles documents."`
	Listen      string `required:""`
	Connections int32  `default:"8" help:"Connections of the pool. 8 are the fastest on two cores."`
}

// Run serves GET /products/{id}/styles until ctx ends.
func (c *poolServerCommand) Run(ctx context.Context) error {
	if _, err := sql.ParseURL(c.Database); err != nil {
		return err
	}
	config, err := pgxpool.ParseConfig(c.Database)
	if err != nil {
		return err
	}
	config.MinConns, config.MaxConns = c.Connections, c.Connections
	pool, err := pgxpool.NewWithConfig(ctx, config)
	if err != nil {
		return err
	}
	defer pool.Close()
	lookup := query("lookup", "table", c.Table)
	app := fiber.New(fiber.Config{DisableStartupMessage: true})
	app.Get("/products/:id/styles", func(request *fiber.Ctx) error {
		id, err := strconv.ParseInt(request.Params("id"), 10, 64)
		if err != nil {
			return fiber.ErrBadRequest
		}
		var etag int64
		var body []byte
		err = pool.QueryRow(context.Background(), lookup, id).Scan(&etag, &body)
		if errors.Is(err, pgx.ErrNoRows) {
			return fiber.ErrNotFound
		}
		if err != nil {
			return err
		}
		request.Set(fiber.HeaderETag, fmt.Sprintf(`"%016x"`, uint64(etag)))
		request.Set(fiber.HeaderContentType, fiber.MIMEApplicationJSON)
		return request.Send(body)
	})
	context.AfterFunc(ctx, func() { _ = app.Shutdown() })
	return app.Listen(c.Listen)
}
