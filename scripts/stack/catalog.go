package main

import (
	"bytes"
	"cmp"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"github.com/dustin/go-humanize/english"
)

// defaultProducts is the size of the sample that up loads first.
const defaultProducts = 10_000

// bytesPerProduct is the approximate size of the generated CSVs per product: 2.5 GB for a million products.
const bytesPerProduct = 2500

// filesFactor is the disk space of a catalog per byte of CSV: for the documents, the previous generation and Postgres's write-ahead log.
const filesFactor = 4

// describeFiles returns the size of a directory's CSV files, in bytes, and a fingerprint of their names, sizes and modification times.
func describeFiles(directory string) (size int64, fingerprint string, err error) {
	info, err := os.Stat(directory)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return 0, "", fmt.Errorf("CSV: there is no directory %s: give the directory of your CSV files, absolute or relative to the working "+
			"directory", directory)
	case err != nil:
		return 0, "", fmt.Errorf("CSV: %w", err)
	case !info.IsDir():
		return 0, "", fmt.Errorf("CSV: %s is a file: give its directory, CSV=%s", directory, shellWord(filepath.Dir(directory)))
	}
	entries, err := os.ReadDir(directory) // sorted by name
	if err != nil {
		return 0, "", fmt.Errorf("CSV: %w", err)
	}
	sum, count := sha256.New(), 0
	for _, entry := range entries {
		if !strings.Contains(entry.Name(), ".csv") {
			continue
		}
		// os.Stat follows links; entry.Info does not.
		info, err := os.Stat(filepath.Join(directory, entry.Name()))
		if err != nil {
			return 0, "", fmt.Errorf("CSV: %w", err)
		}
		count++
		size += info.Size()
		fmt.Fprintf(sum, "%q %d %d\n", entry.Name(), info.Size(), info.ModTime().UnixNano())
	}
	if count == 0 {
		return 0, "", fmt.Errorf("CSV: there is no CSV file in the directory %s: give the directory of your files, whose names end in .csv",
			directory)
	}
	return size, hex.EncodeToString(sum.Sum(nil)), nil
}

// choice is the catalog that up serves.
type choice struct {
	catalog
	wanted bool  // it must be loaded
	space  int64 // bytes of disk space for the load
}

// choose returns the catalog to serve: the files in csv, a sample of that many products, or, without either, the present catalog. An
// interrupted load is repeated. empty reports that there is no database yet.
func (s *stack) choose(csv string, products int, empty bool) (choice, error) {
	former := s.Catalog
	if s.Loading != (catalog{}) {
		former = s.Loading
	}
	var chosen choice
	switch {
	case csv != "":
		chosen.Directory = csv
	case products == 0 && former != (catalog{}):
		chosen.Directory, chosen.Products = former.Directory, former.Products
	default:
		chosen.Products = cmp.Or(products, defaultProducts)
	}
	if chosen.Products > 0 {
		chosen.Directory = filepath.Join(s.State, "csv", strconv.Itoa(chosen.Products))
		chosen.space = int64(chosen.Products) * bytesPerProduct * (1 + filesFactor)
	} else if present := s.Catalog; csv == "" && !empty && s.Loading == (catalog{}) {
		return choice{catalog: present}, nil // even if its files have changed
	} else {
		size, fingerprint, err := describeFiles(chosen.Directory)
		if err != nil {
			return choice{}, err
		}
		chosen.space, chosen.Fingerprint = size*filesFactor, fingerprint
	}
	chosen.wanted = empty || s.Loading != (catalog{}) || !chosen.same(s.Catalog)
	if !chosen.wanted {
		return choice{catalog: s.Catalog}, nil
	}
	return chosen, nil
}

// replaces returns the gates to accept because the load replaces the whole catalog: from or to a sample. Between two dumps of the user, the
// gates protect the catalog.
func (s *stack) replaces(ctx context.Context, databaseURL string, chosen choice) (accepted []string, err error) {
	former := s.Catalog
	if former == (catalog{}) || former.Products == 0 && chosen.Products == 0 {
		return nil, nil
	}
	if former.Run != 0 {
		live, err := liveRun(ctx, databaseURL)
		if err != nil || live != former.Run { // something else has been published since
			return nil, err
		}
	}
	s.progressf("replacing %s by %s", former, chosen.catalog)
	if accepted = []string{"removed", "changed", "fewer-rows"}; chosen.Products > 0 {
		accepted = append(accepted, "truncated-file") // as in the real files, the last line of a sample has no line break
	}
	return accepted, nil
}

// load runs the ETL on the chosen files. It generates those of a sample first.
func (s *stack) load(ctx context.Context, databaseURL string, chosen choice, accepted []string) error {
	if chosen.Products > 0 {
		if err := s.generate(ctx, chosen.catalog); err != nil {
			return err
		}
	}
	replaced, err := s.replaces(ctx, databaseURL, chosen)
	if err != nil {
		return err
	}
	s.progressf("loading the catalog from %s", chosen.Directory)
	// After a kill, it is unknown whether the run has published.
	s.Loading = chosen.catalog
	if err := s.save(); err != nil {
		return err
	}
	arguments := []string{"run", "--csv", chosen.Directory, "--rejects", filepath.Join(s.State, "rejects")}
	for _, gate := range slices.Compact(slices.Sorted(slices.Values(slices.Concat(accepted, replaced)))) {
		arguments = append(arguments, "--accept", gate)
	}
	var report bytes.Buffer
	loadErr := s.tool(ctx, databaseURL, io.MultiWriter(s.out, &report), "etl", arguments...)
	var exit *exec.ExitError
	switch {
	case loadErr == nil:
		s.Catalog, s.Loading = chosen.catalog, catalog{}
		if s.Catalog.Run, err = liveRun(ctx, databaseURL); err != nil {
			return err
		}
	case errors.As(loadErr, &exit) && publishedNothing(exit.ExitCode()):
		if failed := failedGates(report.String(), exit.ExitCode()); len(failed) > 0 {
			loadErr = s.explainGate(loadErr, chosen, slices.Concat(accepted, failed))
		}
		s.Loading = catalog{}
	}
	return errors.Join(loadErr, s.save())
}

// publishedNothing reports whether an exit code of the ETL means unusable files or a failed gate.
func publishedNothing(code int) bool { return code == 3 || 20 <= code && code <= 29 }

// gates are the names of the ETL's gates, for ACCEPT.
var gates = []string{"truncated-file", "unreconciled", "rejects", "removed", "changed", "missing-column", "empty-file", "document-size", "fewer-rows"}

var failedGate = regexp.MustCompile(`(?m)^([a-z-]+) .* failed\r?$`)

// firstGateCode is the exit code of the second gate; the others follow in order. The first gate has the exit code for unusable files.
const firstGateCode = 20

// failedGates returns the failed gates in the ETL's report. If the ETL ended before the report, at a header or an item, its exit code
// identifies the gate.
func failedGates(report string, code int) []string {
	var failed []string
	for _, found := range failedGate.FindAllStringSubmatch(report, -1) {
		if slices.Contains(gates, found[1]) {
			failed = append(failed, found[1])
		}
	}
	if at := code - firstGateCode + 1; len(failed) == 0 && 1 <= at && at < len(gates) {
		failed = append(failed, gates[at])
	}
	return failed
}

// explainGate adds to the error how to accept the failed gates.
func (s *stack) explainGate(err error, chosen choice, failed []string) error {
	serves := "nothing is published yet"
	if s.Catalog != (catalog{}) {
		serves = fmt.Sprintf("%s is still served", s.Catalog)
	}
	argument := "PRODUCTS=" + strconv.Itoa(chosen.Products)
	if chosen.Products == 0 {
		argument = "CSV=" + shellWord(chosen.Directory)
	}
	return fmt.Errorf("%w\na gate (see above) failed for the files in %s: %s. If the files are correct, accept the "+
		"gate: ./scripts/task up %s ACCEPT=%s", err, chosen.Directory, serves, argument, strings.Join(failed, ","))
}

// generate generates the files of a sample unless they exist.
func (s *stack) generate(ctx context.Context, sample catalog) error {
	if _, err := os.Stat(sample.Directory); err == nil {
		return nil
	}
	s.progressf("generating %s", english.Plural(sample.Products, "product", ""))
	unfinished := sample.Directory + ".unfinished"
	if err := os.RemoveAll(unfinished); err != nil {
		return fmt.Errorf("remove an unfinished sample: %w", err)
	}
	if err := os.MkdirAll(unfinished, 0o755); err != nil {
		return fmt.Errorf("create the directory of the sample: %w", err)
	}
	command := exec.CommandContext(ctx, s.binary("generate"),
		"--products", strconv.Itoa(sample.Products), "--seed", "1", "--dirt", "--out", unfinished)
	var output bytes.Buffer // shown only after an error
	command.Stdout, command.Stderr = &output, &output
	if err := runGently(command); err != nil {
		return fmt.Errorf("generate a sample: %w\n%s", err, &output)
	}
	return os.Rename(unfinished, sample.Directory)
}
