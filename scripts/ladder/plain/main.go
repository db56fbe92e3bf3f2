// Command plain is the plain way to answer the catalog's requests from PostgreSQL: a Fiber handler, a pool of connections, and one prepared
// statement for each request, which returns the body. The statements are files, so that the same handler joins tables or looks documents up.
// The rungs of the ladder start it.
package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/signal"
	"path/filepath"
	"strconv"
	"syscall"

	"github.com/alecthomas/kong"
	"github.com/gofiber/fiber/v2"
	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"

	"systemscale/sql"
)

const description = `Answer the catalog's requests with one statement each, through a pool of connections.

Example:
  plain --statements ./joins --listen 127.0.0.1:8090`

type arguments struct {
	Database    string `env:"DATABASE_URL" required:"" placeholder:"URL" help:"PostgreSQL to read from."`
	Statements  string `required:"" type:"path" placeholder:"DIR" help:"${statements}"`
	Listen      string `required:"" placeholder:"ADDR" help:"Address to serve on, host:port."`
	Connections int32  `default:"8" help:"Connections of the pool. 8 are the fastest on two cores. Default: ${default}."`
}

var longHelp = kong.Vars{
	"statements": "Directory of product.sql, styles.sql and related.sql, with the id as $1, and of list.sql, with the number of elements as $1 and " +
		"the number of elements before them as $2. Each returns the body.",
}

func main() {
	var cli arguments
	kong.Parse(&cli, kong.Name("plain"), kong.Description(description), longHelp)
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGINT, syscall.SIGTERM)
	err := cli.serve(ctx)
	stop()
	if err != nil {
		fmt.Fprintln(os.Stderr, "plain:", err)
		os.Exit(1)
	}
}

// serve answers requests until ctx ends.
func (a *arguments) serve(ctx context.Context) error {
	if _, err := sql.ParseURL(a.Database); err != nil {
		return err
	}
	config, err := pgxpool.ParseConfig(a.Database)
	if err != nil {
		return err
	}
	config.MinConns, config.MaxConns = a.Connections, a.Connections
	pool, err := pgxpool.NewWithConfig(ctx, config)
	if err != nil {
		return err
	}
	defer pool.Close()
	app := fiber.New(fiber.Config{DisableStartupMessage: true})
	for path, name := range map[string]string{"/products/:id": "product", "/products/:id/styles": "styles", "/products/:id/related": "related"} {
		statement, err := a.statement(name)
		if err != nil {
			return err
		}
		app.Get(path, item(pool, statement))
	}
	statement, err := a.statement("list")
	if err != nil {
		return err
	}
	app.Get("/products", list(pool, statement))
	context.AfterFunc(ctx, func() { _ = app.Shutdown() })
	return app.Listen(a.Listen)
}

// statement reads a statement.
func (a *arguments) statement(name string) (string, error) {
	text, err := os.ReadFile(filepath.Join(a.Statements, name+".sql"))
	return string(text), err
}

// item answers requests for the document of one product.
func item(pool *pgxpool.Pool, statement string) fiber.Handler {
	return func(request *fiber.Ctx) error {
		id, err := strconv.ParseInt(request.Params("id"), 10, 64)
		if err != nil {
			return fiber.ErrNotFound
		}
		return answer(request, pool, statement, id)
	}
}

// The paging of the API.
const (
	defaultCount = 5
	mostCount    = 100
	lastPage     = 1 << 53 // replaces every page beyond it: its offset fits an int64
)

// list answers requests for a page of the list.
func list(pool *pgxpool.Pool, statement string) fiber.Handler {
	return func(request *fiber.Ctx) error {
		page, count := request.QueryInt("page", 1), request.QueryInt("count", defaultCount)
		if page < 1 || count < 1 {
			return fiber.ErrBadRequest
		}
		page, count = min(page, lastPage), min(count, mostCount)
		return answer(request, pool, statement, count, (page-1)*count)
	}
}

// answer answers with the only column of the only row, or with 404 if there is none.
func answer(request *fiber.Ctx, pool *pgxpool.Pool, statement string, values ...any) error {
	var body []byte
	err := pool.QueryRow(context.Background(), statement, values...).Scan(&body)
	if errors.Is(err, pgx.ErrNoRows) {
		return fiber.ErrNotFound
	}
	if err != nil {
		return err
	}
	request.Set(fiber.HeaderContentType, fiber.MIMEApplicationJSON)
	return request.Send(body)
}
