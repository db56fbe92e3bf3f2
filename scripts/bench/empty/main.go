// Command empty answers every request with an empty body: what the framework of the API costs by itself. It has the framework's default
// settings: no timeouts, no middleware.
package main

import (
	"context"
	"fmt"
	"os"
	"os/signal"
	"syscall"

	"github.com/alecthomas/kong"
	"github.com/gofiber/fiber/v2"
)

func main() {
	var cli struct {
		Listen string `required:"" placeholder:"ADDR" help:"Address to serve on, host:port."`
	}
	kong.Parse(&cli, kong.Name("empty"), kong.Description("Answer every request with an empty body.\n\nExample:\n  empty --listen 127.0.0.1:8090"))
	if err := serve(cli.Listen); err != nil {
		fmt.Fprintln(os.Stderr, "empty:", err)
		os.Exit(1)
	}
}

// serve answers requests until the process gets a signal to end.
func serve(address string) error {
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGINT, syscall.SIGTERM)
	defer stop()
	app := fiber.New(fiber.Config{DisableStartupMessage: true})
	app.Use(func(*fiber.Ctx) error { return nil })
	context.AfterFunc(ctx, func() { _ = app.Shutdown() })
	return app.Listen(address)
}
