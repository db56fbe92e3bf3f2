package rung

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"systemscale/infra/process"
	"systemscale/infra/program"
	"systemscale/scripts/ladder/express"
	"systemscale/scripts/measure"
	"systemscale/scripts/measure/server"
)

// original answers with Express and pg, without and with a cache in Redis, as the original service did.
func original() []Rung {
	return []Rung{
		{
			Name: "express", Title: "Express and pg, joins at request time", Letter: "b",
			Start: func(ctx context.Context, data Data) (*Running, error) {
				r := &Running{}
				return r.orStop(r.addExpress(ctx, data, "express"))
			},
		},
		{
			Name: "express-redis", Title: "Express and pg, joins, Redis cache", Letter: "b", Cached: true,
			Start: func(ctx context.Context, data Data) (*Running, error) {
				r := &Running{}
				address, err := r.addRedis(ctx, data, "express-redis")
				if err == nil {
					err = r.addExpress(ctx, data, "express-redis", "REDIS_URL=redis://"+address)
				}
				return r.orStop(err)
			},
		},
	}
}

// addExpress installs and starts the Express server, with variables of its environment. The name of the rung is that of its log.
func (r *Running) addExpress(ctx context.Context, data Data, name string, env ...string) error {
	node, err := program.FindNode()
	if err != nil {
		return err
	}
	directory, err := installExpress(ctx, data, node)
	if err != nil {
		return fmt.Errorf("install Express: %w", err)
	}
	statements, err := writeStatements(ctx, data, "joins", joinStatements)
	if err != nil {
		return err
	}
	addresses, err := server.FreeAddresses(1)
	if err != nil {
		return err
	}
	daemon := process.Daemon{
		Name: name, Path: node.Path, Args: []string{filepath.Join(directory, "server.mjs")}, Dir: directory, Log: data.log(name, "express", 0),
		Env: append(env, "DATABASE_URL="+data.DatabaseURL, "STATEMENTS="+statements, "LISTEN="+addresses[0], "NODE_ENV=production"),
	}
	started, err := server.Start(ctx, daemon, addresses[0])
	if started != nil {
		r.Address = started.Address
		r.add("express", started.PID, started.Stop)
	}
	return err
}

// installExpress copies the files of the server to a directory of the data, and installs its packages there unless they are present. It
// returns the directory.
func installExpress(ctx context.Context, data Data, node program.Node) (string, error) {
	directory := filepath.Join(data.Directory, "express")
	files, err := fs.ReadDir(express.Files, ".")
	if err != nil {
		return "", err
	}
	if err := os.MkdirAll(directory, 0o755); err != nil {
		return "", err
	}
	for _, file := range files {
		text, err := express.Files.ReadFile(file.Name())
		if err != nil {
			return "", err
		}
		if err := os.WriteFile(filepath.Join(directory, file.Name()), text, 0o644); err != nil {
			return "", err
		}
	}
	want, err := express.Files.ReadFile("package-lock.json")
	if err != nil {
		return "", err
	}
	// Written after the installation has succeeded.
	note := filepath.Join(directory, "installed.json")
	if got, err := os.ReadFile(note); err == nil && string(got) == string(want) {
		return directory, nil
	}
	if err := os.Remove(note); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return "", err
	}
	if _, err := measure.Run(ctx, node.NPM, "--prefix", directory, "ci", "--prefer-offline"); err != nil {
		return "", err
	}
	return directory, os.WriteFile(note, want, 0o644)
}
