package main

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"

	"systemscale/sql"
)

// spoiled are the generator's flags for a catalog with rows of every kind that the ETL repairs, filters or rejects.
var spoiled = []string{"--dirt", "--malformed"}

// prepare builds the programs, generates the catalog, and creates and migrates the database.
func (e *environment) prepare(ctx context.Context) error {
	work, err := filepath.Abs(e.Work)
	if err != nil {
		return err
	}
	e.Work = work
	bin := filepath.Join(e.Work, "bin")
	if err := os.MkdirAll(bin, 0o755); err != nil {
		return err
	}
	// Without the commit in the binary, the generator is the same file as before unless its code changed.
	if _, err := measure(ctx, "go", "build", "-buildvcs=false", "-o", bin+"/", "./etl", "./api", "./scripts/generate"); err != nil {
		return err
	}
	if _, err := e.generate(ctx, "", spoiled...); err != nil {
		return err
	}
	return e.createMigrated(ctx)
}

// generate generates a variant of the catalog and returns its directory. The variant "" is in csv. It reuses a directory that the same
// generator wrote with the same flags.
func (e *environment) generate(ctx context.Context, variant string, flags ...string) (string, error) {
	directory := e.csv()
	if variant != "" {
		directory += "-" + variant
	}
	arguments := append([]string{"--products", strconv.Itoa(e.Products), "--seed", "1", "--out", directory}, flags...)
	program, err := os.ReadFile(e.program("generate"))
	if err != nil {
		return "", err
	}
	// The generator replaces the files only when all are complete. The note is written after that.
	note, want := directory+".made-by", fmt.Sprintf("%x %q\n", sha256.Sum256(program), arguments)
	if got, err := os.ReadFile(note); err == nil && string(got) == want && complete(directory) {
		return directory, nil
	}
	if err := os.Remove(note); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return "", err
	}
	fmt.Fprintln(os.Stderr, "generate the catalog")
	if _, err := measure(ctx, e.program("generate"), arguments...); err != nil {
		return "", err
	}
	return directory, os.WriteFile(note, []byte(want), 0o644)
}

// complete reports whether the files of a catalog have the sizes that its report lists.
func complete(directory string) bool {
	report, err := readGenerated(directory)
	if err != nil || len(report.Files) == 0 {
		return false
	}
	for _, file := range report.Files {
		info, err := os.Stat(filepath.Join(directory, file.Name))
		if err != nil || info.Size() != file.Bytes {
			return false
		}
	}
	return true
}

// createMigrated replaces the database by an empty one with the current schema.
func (e *environment) createMigrated(ctx context.Context) error {
	// Run numbers restart at 1, and the rejects directory of an earlier run with the same number must not exist.
	if err := os.RemoveAll(e.rejects()); err != nil {
		return err
	}
	if err := e.createDatabase(ctx); err != nil {
		return fmt.Errorf("create the database: %w", err)
	}
	_, err := measure(ctx, e.program("etl"), "migrate", "--database", e.etlURL())
	return err
}

func (e *environment) createDatabase(ctx context.Context) error {
	statements := []string{sql.Bootstrap}
	for _, role := range []string{sql.RoleETL, sql.RoleAPI} {
		statements = append(statements, query("set_password", "role", role, "password", password))
	}
	statements = append(statements, query("drop_database"), sql.QueryFor("stack/create_database", "database", "bench", "owner", sql.RoleETL))
	return e.execute(ctx, statements...)
}

// checkpoint writes the server's dirty pages to disk, so that a measurement does not include writes of an earlier one.
func (e *environment) checkpoint(ctx context.Context) error {
	return e.execute(ctx, query("checkpoint"))
}

// execute executes statements in order, as the superuser.
func (e *environment) execute(ctx context.Context, statements ...string) error {
	conn, err := sql.Dial(ctx, e.Admin)
	if err != nil {
		return err
	}
	defer func() { _ = conn.Close(ctx) }()
	for _, statement := range statements {
		if _, err := conn.Exec(ctx, statement); err != nil {
			return err
		}
	}
	return nil
}
