package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"path/filepath"
	"strings"

	"github.com/goccy/go-json"
	"golang.org/x/sync/errgroup"
)

// reportName is the name of the report's file. It is written last and removed first: if it exists, the six files in the same directory
// are complete and of the same run.
const reportName = "generated.json"

// partialSuffix ends the name of a file until all files of a run are complete.
const partialSuffix = ".partial"

// report is the content of generated.json: the flags, and for each file its rows, its bytes and its dirt.
type report struct {
	Products  int64        `json:"products"`
	Seed      uint64       `json:"seed"`
	Dirt      bool         `json:"dirt"`
	Malformed bool         `json:"malformed,omitempty"`
	Change    float64      `json:"change,omitempty"`           // the flag --change
	Changed   int64        `json:"changed_products,omitempty"` // the products that it changed
	Shuffle   bool         `json:"shuffle,omitempty"`
	Files     []fileReport `json:"files"`
}

// fileReport describes one file. Rows do not include the header.
type fileReport struct {
	Name  string  `json:"name"`
	Rows  int64   `json:"rows"`
	Bytes int64   `json:"bytes"`
	Dirt  []*dirt `json:"dirt,omitempty"`
}

// generate writes the catalog's six files and the report into a directory, which it creates. The files get their names only when all are
// complete. On an error, or when ctx ends, the files of an earlier run remain and the partial files are removed. generate refuses to
// replace files that it did not write itself.
func generate(ctx context.Context, c catalog, directory string, log *slog.Logger) (report, error) {
	if err := os.MkdirAll(directory, 0o755); err != nil {
		return report{}, fmt.Errorf("create the output directory: %w", err)
	}
	sources := c.sources()
	if err := refuseForeignFiles(directory, sources); err != nil {
		return report{}, err
	}
	result := report{
		Products: c.products, Seed: c.seed, Dirt: c.dirt, Malformed: c.malformed,
		Change: c.change, Changed: c.countChanged(), Shuffle: c.shuffle,
		Files: make([]fileReport, len(sources)),
	}
	names := []string{reportName}
	for _, source := range sources {
		names = append(names, source.name)
	}
	defer func() {
		for _, name := range names {
			os.Remove(filepath.Join(directory, name+partialSuffix)) // does not exist unless there was an error
		}
	}()

	group, ctx := errgroup.WithContext(ctx)
	for i, source := range sources {
		group.Go(func() error {
			path := filepath.Join(directory, source.name+partialSuffix)
			err := writeFile(path, func(file io.Writer) (err error) {
				result.Files[i], err = c.writeSource(ctx, source, file)
				return err
			})
			if err != nil {
				return fmt.Errorf("write %s: %w", source.name, err)
			}
			log.Info("file complete", "file", source.name, "rows", result.Files[i].Rows, "bytes", result.Files[i].Bytes)
			return nil
		})
	}
	if err := group.Wait(); err != nil {
		return report{}, err
	}

	err := writeFile(filepath.Join(directory, reportName+partialSuffix), func(file io.Writer) error {
		return json.NewEncoder(file).Encode(result)
	})
	if err != nil {
		return report{}, fmt.Errorf("write %s: %w", reportName, err)
	}
	if err := os.Remove(filepath.Join(directory, reportName)); err != nil && !errors.Is(err, os.ErrNotExist) {
		return report{}, fmt.Errorf("replace the files of an earlier run: %w", err)
	}
	for _, name := range append(names[1:], reportName) {
		path := filepath.Join(directory, name)
		if err := os.Rename(path+partialSuffix, path); err != nil {
			return report{}, fmt.Errorf("complete %s: %w", name, err)
		}
	}
	return result, nil
}

// refuseForeignFiles returns an error if the directory contains a file that would be replaced, but no report that marks it as generated:
// the file may be real data.
func refuseForeignFiles(directory string, sources []source) error {
	if _, err := os.Lstat(filepath.Join(directory, reportName)); err == nil {
		return nil
	}
	var foreign []string
	for _, source := range sources {
		if _, err := os.Lstat(filepath.Join(directory, source.name)); err == nil {
			foreign = append(foreign, source.name)
		}
	}
	if len(foreign) == 0 {
		return nil
	}
	return fmt.Errorf("%s already contains %s but no %s, so these may be real data: "+
		"choose another directory with --out, or remove them", directory, strings.Join(foreign, ", "), reportName)
}

// writeFile creates or truncates a file, calls write with it, and closes it.
func writeFile(path string, write func(io.Writer) error) error {
	file, err := os.Create(path)
	if err != nil {
		return err
	}
	if err := write(file); err != nil {
		file.Close()
		return err
	}
	return file.Close()
}

// writeSource writes one file's header and rows. Lines are separated by LF; the last line has none.
func (c catalog) writeSource(ctx context.Context, source source, out io.Writer) (fileReport, error) {
	var ordered bytes.Buffer
	w := newWriter(ctx, out)
	if c.shuffle {
		w.out = &ordered
	}
	w.buffer = append(w.buffer, source.header...)
	malformed := c.malformedRows(source.purpose)
	if malformed != nil {
		source.dirt = append(source.dirt, malformed.kinds...)
		malformed.begin(w)
		w.afterRow = func() { malformed.afterRow(w) }
	}
	var shared stream
	for id := int64(1); id <= c.products && w.err == nil; id++ {
		product := c.product(&shared, id)
		w.random.restart(c.seed, source.purpose, id)
		source.write(w, product)
	}
	if malformed != nil {
		malformed.end(w)
	}
	w.flush()
	if c.shuffle && w.err == nil {
		_, w.err = out.Write(c.shuffled(source, ordered.Bytes()))
	}
	return fileReport{source.name, w.line() - 1, w.bytes, source.dirt}, w.err
}
