// Command etl turns the CSV files of a collection into finished response bodies and publishes them in Postgres.
//
// A shape file declares the CSV files and the documents; the built-in one is shapes/products.yaml.
package main

import (
	"context"
	"os"
	"os/signal"
	"syscall"

	"systemscale/etl/internal/command"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGINT, syscall.SIGTERM)
	context.AfterFunc(ctx, stop) // a second signal ends the process at once
	os.Exit(command.Run(ctx, os.Args[1:], os.Stdout, os.Stderr))
}
