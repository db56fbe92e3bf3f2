package main

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
)

// bytesPerProduct is how much CSV the generator writes for a product, roughly: 2.5 GB for a million.
const bytesPerProduct = 2500

// filesFactor is what a catalog takes on the disk in bytes per byte of CSV: the documents, the generation before, and
// the log files that Postgres keeps.
const filesFactor = 4

// describeFiles returns the size of a directory's CSV files and a fingerprint that changes whenever one of
// them is added, removed, resized or rewritten.
func describeFiles(directory string) (size int64, fingerprint string, err error) {
	entries, err := os.ReadDir(directory) // sorted by name
	if err != nil {
		return 0, "", fmt.Errorf("CSV=%s: %w", directory, err)
	}
	sum, count := sha256.New(), 0
	for _, entry := range entries {
		if !strings.Contains(entry.Name(), ".csv") {
			continue
		}
		// Stat, not the entry's own information: a link stands for the file behind it.
		info, err := os.Stat(filepath.Join(directory, entry.Name()))
		if err != nil {
			return 0, "", fmt.Errorf("CSV=%s: %w", directory, err)
		}
		count++
		size += info.Size()
		_, _ = fmt.Fprintf(sum, "%q %d %d\n", entry.Name(), info.Size(), info.ModTime().UnixNano())
	}
	if count == 0 {
		return 0, "", fmt.Errorf("CSV=%s: there is no CSV file in this directory", directory)
	}
	return size, hex.EncodeToString(sum.Sum(nil)), nil
}

// fingerprintFile returns the SHA-256 of a file together with what else decides how it behaves.
func fingerprintFile(path string, rest ...string) (string, error) {
	file, err := os.Open(path)
	if err != nil {
		return "", err
	}
	defer func() { _ = file.Close() }()
	sum := sha256.New()
	if _, err := io.Copy(sum, file); err != nil {
		return "", fmt.Errorf("read %s: %w", path, err)
	}
	_, _ = fmt.Fprintf(sum, "%q", rest)
	return hex.EncodeToString(sum.Sum(nil)), nil
}

// choice is the catalog that up is to serve.
type choice struct {
	catalog
	wanted bool  // it has to be loaded
	space  int64 // bytes of disk that takes
}

func (stack *stack) choice(asked catalog, space int64) choice {
	if asked == stack.Catalog {
		return choice{catalog: asked}
	}
	return choice{catalog: asked, wanted: true, space: space}
}

// choose decides what to load. Without arguments, whatever is loaded stays.
func (stack *stack) choose(command upCommand) (choice, error) {
	switch {
	case command.CSV != "":
		size, fingerprint, err := describeFiles(command.CSV)
		if err != nil {
			return choice{}, err
		}
		asked := catalog{Directory: command.CSV, Fingerprint: fingerprint}
		return stack.choice(asked, size*filesFactor), nil
	case command.Products == 0 && stack.Catalog != (catalog{}):
		return choice{catalog: stack.Catalog}, nil
	}
	products := command.Products
	if products == 0 {
		products = defaultProducts
	}
	asked := catalog{Directory: filepath.Join(stack.State, "csv", strconv.Itoa(products)), Products: products}
	return stack.choice(asked, int64(products)*bytesPerProduct*(1+filesFactor)), nil
}

// load runs the ETL over the chosen files, after making them when they are a sample.
func (stack *stack) load(ctx context.Context, databaseURL string, chosen choice) error {
	if chosen.Products > 0 {
		if err := stack.generate(ctx, chosen.catalog); err != nil {
			return err
		}
	}
	stack.say("loading the catalog from %s", chosen.Directory)
	former := stack.Catalog
	if former != (catalog{}) {
		// Should this be killed, then nobody knows whether it has published.
		stack.Catalog.Fingerprint = "unknown"
		if err := stack.save(); err != nil {
			return err
		}
	}
	rejects := filepath.Join(stack.State, "rejects")
	loadErr := stack.tool(ctx, databaseURL, "etl", "run", "--csv", chosen.Directory, "--rejects", rejects)
	stack.Catalog = chosen.catalog
	if loadErr != nil {
		stack.Catalog = former // which is what the API still serves
	}
	return errors.Join(loadErr, stack.save())
}

// generate makes a sample's files unless they are there, whole.
func (stack *stack) generate(ctx context.Context, sample catalog) error {
	if _, err := os.Stat(sample.Directory); err == nil {
		return nil
	}
	stack.say("generating %d products", sample.Products)
	unfinished := sample.Directory + ".unfinished"
	if err := os.RemoveAll(unfinished); err != nil {
		return fmt.Errorf("remove an unfinished sample: %w", err)
	}
	if err := os.MkdirAll(unfinished, 0o755); err != nil {
		return fmt.Errorf("make room for the sample: %w", err)
	}
	command := exec.CommandContext(ctx, stack.binary("generate"),
		"--products", strconv.Itoa(sample.Products), "--seed", "1", "--dirt", "--out", unfinished)
	var said bytes.Buffer // of interest only when it fails
	command.Stdout, command.Stderr = &said, &said
	if err := runGently(command); err != nil {
		return fmt.Errorf("generate a sample: %w\n%s", err, &said)
	}
	return os.Rename(unfinished, sample.Directory)
}
