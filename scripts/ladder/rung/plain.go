package rung

import (
	"context"
	"fmt"
	"os"
	"path/filepath"

	"systemscale/infra/process"
	"systemscale/scripts/measure/server"
	"systemscale/sql"
)

// joins answers from normalised tables with the plain handler.
func joins() Rung {
	return Rung{
		Name: "joins", Title: "Fiber, joins at request time", Letter: "a",
		Start: startPlain("joins", joinStatements),
	}
}

// Lookups answers from the published documents with the plain handler. It needs neither Data.CSV nor Normalize, and only the rights of the
// API's role.
func Lookups() Rung {
	return Rung{
		Name: "lookups", Title: "Fiber, precomputed documents", Letter: "e",
		Start: startPlain("lookups", lookupStatements),
	}
}

// startPlain returns the function that starts one instance of the plain handler with some statements.
func startPlain(name string, statements statementsOf) func(context.Context, Data) (*Running, error) {
	return func(ctx context.Context, data Data) (*Running, error) {
		r := &Running{}
		addresses, err := r.addPlain(ctx, data, name, statements, 1)
		if err == nil {
			r.Address = addresses[0]
		}
		return r.orStop(err)
	}
}

// addPlain starts instances of the plain handler and returns their addresses. The name of the rung is that of their logs.
func (r *Running) addPlain(ctx context.Context, data Data, name string, statements statementsOf, instances int) ([]string, error) {
	program, err := build(ctx, data, "systemscale/scripts/ladder/plain")
	if err != nil {
		return nil, err
	}
	directory, err := writeStatements(ctx, data, name, statements)
	if err != nil {
		return nil, err
	}
	addresses, err := server.FreeAddresses(instances)
	if err != nil {
		return nil, err
	}
	for i, address := range addresses {
		daemon := process.Daemon{
			Name: fmt.Sprintf("plain handler %d of %s", i+1, name), Path: program, Args: []string{"--statements", directory, "--listen", address},
			Env: append(threads(instances), "DATABASE_URL="+data.DatabaseURL), Log: data.log(name, "plain", i),
		}
		started, err := server.Start(ctx, daemon, address)
		if started != nil {
			r.add("plain", started.PID, started.Stop)
		}
		if err != nil {
			return nil, err
		}
	}
	return addresses, nil
}

// threads returns the variables of an instance's environment: several instances share the cores, and are fastest with one thread each.
func threads(instances int) []string {
	if instances == 1 {
		return nil
	}
	return []string{"GOMAXPROCS=1"}
}

// statementsOf returns the statement of each endpoint.
type statementsOf func(context.Context, Data) (map[Endpoint]string, error)

// joinStatements join and aggregate the normalised tables.
func joinStatements(context.Context, Data) (map[Endpoint]string, error) {
	statements := map[Endpoint]string{}
	for _, endpoint := range Endpoints() {
		statements[endpoint] = query("joins/" + string(endpoint))
	}
	return statements, nil
}

// lookupStatements look published documents up by their primary key.
func lookupStatements(ctx context.Context, data Data) (map[Endpoint]string, error) {
	conn, err := sql.Dial(ctx, data.DatabaseURL)
	if err != nil {
		return nil, err
	}
	defer func() { _ = conn.Close(ctx) }()
	var generation int64
	if err := conn.QueryRow(ctx, query("generation"), "products").Scan(&generation); err != nil {
		return nil, fmt.Errorf("read the live generation: %w", err)
	}
	statements := map[Endpoint]string{List: query("lookups/list", "table", sql.DocumentTable("products", "summary", generation))}
	for _, endpoint := range []Endpoint{Product, Styles, Related} {
		statements[endpoint] = query("lookups/item", "table", sql.DocumentTable("products", string(endpoint), generation))
	}
	return statements, nil
}

// writeStatements writes the statements to a directory, from which servers in Go and JavaScript read them, and returns it.
func writeStatements(ctx context.Context, data Data, name string, statements statementsOf) (string, error) {
	texts, err := statements(ctx, data)
	if err != nil {
		return "", err
	}
	directory := filepath.Join(data.Directory, "statements", name)
	if err := os.MkdirAll(directory, 0o755); err != nil {
		return "", err
	}
	for endpoint, text := range texts {
		if err := os.WriteFile(filepath.Join(directory, string(endpoint)+".sql"), []byte(text), 0o644); err != nil {
			return "", err
		}
	}
	return directory, nil
}
