package main

import (
	"bytes"
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"io/fs"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"time"

	"github.com/goccy/go-json"

	"systemscale/sql"
)

// workplace is what both benchmarks need: built programs, a made-up catalog and an empty, migrated database.
type workplace struct {
	Products int    `default:"1000011" placeholder:"N" help:"Products in the catalog. Default: ${default}, the full size."`
	Work     string `default:".run/bench" placeholder:"DIR" help:"Directory for the catalog, the programs and the results. Default: ${default}."`
	Admin    string `env:"TEST_DATABASE_URL" required:"" placeholder:"URL" help:"PostgreSQL server, as its superuser. The database bench is replaced."`
}

// prepare builds the programs, generates the catalog, and migrates a new database.
func (w *workplace) prepare(ctx context.Context) error {
	work, err := filepath.Abs(w.Work)
	if err != nil {
		return err
	}
	w.Work = work
	if err := os.MkdirAll(filepath.Join(w.Work, "bin"), 0o755); err != nil {
		return err
	}
	// Without the commit in it, so that a generator that has not changed is known again.
	if _, err := measure(ctx, "go", "build", "-buildvcs=false", "-o", filepath.Join(w.Work, "bin")+"/", "./etl", "./api", "./scripts/generate"); err != nil {
		return err
	}
	if _, err := w.generate(ctx, "", spoiled...); err != nil {
		return err
	}
	return w.createMigrated(ctx)
}

// spoiled is the flags of a catalog with rows of every kind that the ETL repairs, filters or rejects.
var spoiled = []string{"--dirt", "--malformed"}

// generate writes the catalog into a directory of its own for each variant, "" being the one of csv, and returns the directory. What
// the same generator has written with the same flags is there already.
func (w *workplace) generate(ctx context.Context, variant string, flags ...string) (string, error) {
	directory := w.csv()
	if variant != "" {
		directory += "-" + variant
	}
	arguments := append([]string{"--products", strconv.Itoa(w.Products), "--seed", "1", "--out", directory}, flags...)
	program, err := os.ReadFile(w.program("generate"))
	if err != nil {
		return "", err
	}
	// The generator replaces its own files only when all are complete; what it was is written behind it.
	note, want := directory+".made-by", fmt.Sprintf("%x %q\n", sha256.Sum256(program), arguments)
	if is, err := os.ReadFile(note); err == nil && string(is) == want && complete(directory) {
		return directory, nil
	}
	if err := os.Remove(note); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return "", err
	}
	fmt.Fprintln(os.Stderr, "generate the catalog")
	if _, err := measure(ctx, w.program("generate"), arguments...); err != nil {
		return "", err
	}
	return directory, os.WriteFile(note, []byte(want), 0o644)
}

// complete reports whether the files of a catalog are as large as its generator has noted.
func complete(directory string) bool {
	text, err := os.ReadFile(filepath.Join(directory, "generated.json"))
	if err != nil {
		return false
	}
	var made struct {
		Files []struct {
			Name  string
			Bytes int64
		}
	}
	if json.Unmarshal(text, &made) != nil || len(made.Files) == 0 {
		return false
	}
	for _, file := range made.Files {
		info, err := os.Stat(filepath.Join(directory, file.Name))
		if err != nil || info.Size() != file.Bytes {
			return false
		}
	}
	return true
}

// createMigrated replaces the database by an empty one with the schema in it.
func (w *workplace) createMigrated(ctx context.Context) error {
	// Runs are numbered from 1 again. An earlier run's rejects would keep the directory of that number.
	if err := os.RemoveAll(w.rejects()); err != nil {
		return err
	}
	if err := w.createDatabase(ctx); err != nil {
		return fmt.Errorf("create the database: %w", err)
	}
	_, err := measure(ctx, w.program("etl"), "migrate", "--database", w.etlURL())
	return err
}

func (w *workplace) program(name string) string { return filepath.Join(w.Work, "bin", name) }
func (w *workplace) csv() string {
	return filepath.Join(w.Work, "csv-spoiled-"+strconv.Itoa(w.Products))
}
func (w *workplace) rejects() string { return filepath.Join(w.Work, "rejects") }

// password is no secret: the cluster is reached through a unix socket in a private directory, and gone after the run.
const password = "bench"

func (w *workplace) etlURL() string { return w.url(sql.RoleETL, password) }
func (w *workplace) apiURL() string { return w.url(sql.RoleAPI, password) }

func (w *workplace) url(role, password string) string {
	parsed, err := url.Parse(w.Admin)
	if err != nil {
		return w.Admin // connecting will say what is wrong with it
	}
	parsed.User, parsed.Path = url.UserPassword(role, password), "/bench"
	return parsed.String()
}

func (w *workplace) createDatabase(ctx context.Context) error {
	conn, err := sql.Dial(ctx, w.Admin)
	if err != nil {
		return err
	}
	defer func() { _ = conn.Close(ctx) }()
	for _, statement := range []string{
		sql.Bootstrap,
		"alter role " + sql.RoleETL + " password '" + password + "'",
		"alter role " + sql.RoleAPI + " password '" + password + "'",
		"drop database if exists bench with (force)",
		sql.QueryFor("stack/create_database", "database", "bench", "owner", sql.RoleETL),
	} {
		if _, err := conn.Exec(ctx, statement); err != nil {
			return err
		}
	}
	return nil
}

// settle writes out what the server still has in memory, so that one measurement does not pay for the one before.
func (w *workplace) settle(ctx context.Context) error {
	conn, err := sql.Dial(ctx, w.Admin)
	if err != nil {
		return err
	}
	defer func() { _ = conn.Close(ctx) }()
	_, err = conn.Exec(ctx, "checkpoint")
	return err
}

// cost is what one run of a program took.
type cost struct {
	wall   time.Duration
	cpu    time.Duration
	memory int64 // bytes, resident, at the highest
	out    string
}

func (c cost) mebibytes() float64 { return float64(c.memory) / (1 << 20) }

// measure runs a program to its end.
func measure(ctx context.Context, name string, args ...string) (cost, error) {
	command := exec.CommandContext(ctx, name, args...)
	hideURLs(command)
	var out, errOut bytes.Buffer
	command.Stdout, command.Stderr = &out, &errOut
	began := time.Now()
	if err := command.Start(); err != nil {
		return cost{}, err
	}
	peak := watchMemory(command.Process.Pid)
	err := command.Wait()
	took := time.Since(began)
	memory := peak()
	if err != nil {
		return cost{}, errors.Join(fmt.Errorf("%s %s: %w", filepath.Base(name), args[0], err), errors.New(errOut.String()))
	}
	return cost{wall: took, cpu: command.ProcessState.UserTime() + command.ProcessState.SystemTime(), memory: memory, out: out.String()}, nil
}
