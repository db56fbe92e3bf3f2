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

// reportName is the file that says what was generated. It is written last and removed first, so where it
// stands the six files beside it are complete and of one run.
const reportName = "generated.json"

// partialSuffix ends the name of a file until all files of a run are complete.
const partialSuffix = ".partial"

// bufferSize is how much of a file is gathered before it is written.
const bufferSize = 1 << 20

// report is generated.json: the flags, and for every file its rows and bytes and the dirt in it.
type report struct {
	Products  int64        `json:"products"`
	Seed      uint64       `json:"seed"`
	Dirt      bool         `json:"dirt"`
	Malformed bool         `json:"malformed,omitempty"`
	Change    float64      `json:"change,omitempty"`           // the share that was asked for
	Changed   int64        `json:"changed_products,omitempty"` // and what it came to
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

// generate writes the catalog's six files and the report into a directory, which it creates. The files get
// their names only when all are complete; on an error or when ctx ends, what was there before remains and
// the partial files are removed. It refuses to replace files that it did not write itself.
func generate(ctx context.Context, c catalog, directory string, log *slog.Logger) (report, error) {
	if err := os.MkdirAll(directory, 0o755); err != nil {
		return report{}, fmt.Errorf("create the output directory: %w", err)
	}
	sources := c.sources()
	if err := refuseStrangers(directory, sources); err != nil {
		return report{}, err
	}
	result := report{c.products, c.seed, c.dirt, c.malformed, c.change, c.countChanged(), c.shuffle, make([]fileReport, len(sources))}
	names := []string{reportName}
	for _, source := range sources {
		names = append(names, source.name)
	}
	defer func() {
		for _, name := range names {
			os.Remove(filepath.Join(directory, name+partialSuffix)) // long renamed, unless something failed
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

// refuseStrangers returns an error when a file that would be replaced is there without the report that
// marks it as generated: it may be somebody's real data.
func refuseStrangers(directory string, sources []source) error {
	if _, err := os.Lstat(filepath.Join(directory, reportName)); err == nil {
		return nil
	}
	var strangers []string
	for _, source := range sources {
		if _, err := os.Lstat(filepath.Join(directory, source.name)); err == nil {
			strangers = append(strangers, source.name)
		}
	}
	if len(strangers) == 0 {
		return nil
	}
	return fmt.Errorf("%s already holds %s and no %s, so they may not be generated ones: "+
		"choose another directory with --out, or remove them", directory, strings.Join(strangers, ", "), reportName)
}

// writeFile creates or empties a file, has it written, and closes it.
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

// writeSource writes one file's header and rows. Lines are separated by LF, and the last has none.
func (c catalog) writeSource(ctx context.Context, source source, out io.Writer) (fileReport, error) {
	var ordered bytes.Buffer
	w := &writer{ctx: ctx, out: out, buffer: make([]byte, 0, bufferSize+bufferSize/8)}
	if c.shuffle {
		w.out = &ordered
	}
	w.buffer = append(w.buffer, source.header...)
	if w.malformed = c.malformedRows(source.purpose); w.malformed != nil {
		source.dirt = append(source.dirt, w.malformed.kinds...)
		w.malformed.begin(w)
	}
	var shared stream
	for id := int64(1); id <= c.products && w.err == nil; id++ {
		product := c.product(&shared, id)
		w.random.restart(c.seed, source.purpose, id)
		source.write(w, product)
	}
	if w.malformed != nil {
		w.malformed.end(w)
	}
	w.flush()
	if c.shuffle && w.err == nil {
		_, w.err = out.Write(c.shuffled(source, ordered.Bytes()))
	}
	return fileReport{source.name, w.line() - 1, w.bytes, source.dirt}, w.err
}

// writer gathers the rows of one file. The first error is kept, and what comes after it is thrown away.
type writer struct {
	random  stream
	rows    int64 // good rows begun
	parents int64 // styles of the products before this one; for the files whose parent is a style

	malformed *malformed // rows to add between the good ones, or nil

	ctx    context.Context
	out    io.Writer
	buffer []byte
	bytes  int64
	err    error
}

// beginRow counts a row and returns the buffer to append it to. The caller hands the result to endRow and
// keeps nothing of it. The last row always stays in the buffer.
func (w *writer) beginRow() []byte {
	if len(w.buffer) >= bufferSize {
		w.flush()
	}
	w.rows++
	return append(w.buffer, '\n')
}

func (w *writer) endRow(buffer []byte) {
	w.buffer = buffer
	if w.malformed != nil {
		w.malformed.behind(w)
	}
}

// line returns the number of the line that holds the last row; the header is line 1.
func (w *writer) line() int64 {
	if w.malformed != nil {
		return 1 + w.rows + w.malformed.added
	}
	return 1 + w.rows
}

func (w *writer) flush() {
	if w.err == nil {
		w.err = w.ctx.Err()
	}
	if w.err == nil {
		var written int
		written, w.err = w.out.Write(w.buffer)
		w.bytes += int64(written)
	}
	w.buffer = w.buffer[:0]
}
