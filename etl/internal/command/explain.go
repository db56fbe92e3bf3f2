package command

import (
	"bytes"
	"context"
	"fmt"

	"github.com/goccy/go-json"

	"systemscale/etl/internal/document"
	"systemscale/etl/internal/source"
)

type explainCommand struct {
	Collection string `arg:"" help:"Name of the collection, as in the shape file."`
	ID         int64  `arg:"" name:"id" help:"Id of the item."`
	CSV        string `name:"csv" required:"" type:"path" placeholder:"DIR" help:"Directory that holds the CSV files."`
	Shape      string `placeholder:"FILE" help:"Shape file. Default: the built-in catalog of products."`
	temporary
	itemLimit
}

func (c *explainCommand) Help() string {
	return `Reads all files and prints the lines that one item's documents are made of, each with file and line number, and the
documents. It needs no database.

Example:
  etl explain products 42 --csv ./dump`
}

// usedLine is a line of a CSV that went into an item.
type usedLine struct {
	source int
	line   int64
	raw    []byte
}

// Run explains one item.
func (c *explainCommand) Run(ctx context.Context, out *output) error {
	in, err := openInput(ctx, reading{directory: c.CSV, shape: c.Shape, temp: c.Temp, rejects: &countedRejects{}, accepts: acceptsNone, maxDocument: c.MaxDocument, say: out.log()})
	if err != nil {
		return err
	}
	defer in.close()
	if c.Collection != in.spec.Collection {
		return &usageError{fmt.Sprintf("the shape %s is of the collection %s, not %s: name that, or another file with --shape", in.spec.Name, in.spec.Collection, c.Collection)}
	}
	// The pass goes on behind the item: only at its end is it known that no file had to be sorted first.
	var lines []usedLine
	var documents [][]byte
	wanted := false
	in.observe = func(i int, reader *source.Reader) {
		if i == 0 {
			wanted = reader.Rows().LastKey() == c.ID
		}
		if wanted {
			lines = append(lines, usedLine{i, reader.Line(), bytes.Clone(reader.Raw())})
		}
	}
	restart := func() error {
		lines, documents = nil, nil
		return nil
	}
	err = pass(ctx, in, func() {}, restart, func(_ int, id int64, _ uint64, body []byte) error {
		if id == c.ID {
			documents = append(documents, bytes.Clone(body))
		}
		return nil
	})
	if err != nil {
		return err
	}
	if err := in.refuseCutFiles(); err != nil {
		return err
	}
	if len(documents) == 0 {
		return &source.FileError{File: in.files[0].name(), Message: fmt.Sprintf("no row that can be used has %s %d; etl run says which rows are rejected and why",
			in.spec.Sources[0].Columns[in.spec.Sources[0].Key].Name, c.ID)}
	}
	for _, l := range lines {
		fmt.Fprintf(out.stdout, "%s:%d: %s\n", in.files[l.source].name(), l.line, l.raw)
	}
	for i, body := range documents {
		d := in.spec.Endpoints[i]
		var indented bytes.Buffer
		if err := json.Indent(&indented, body, "", "  "); err != nil {
			return fmt.Errorf("indent %s: %w", d.Name, err)
		}
		fmt.Fprintf(out.stdout, "\n%s, at %s, etag %016x, %d bytes\n%s\n", d.Name, addressOf(in.spec, d, c.ID), document.Etag(body), len(body), indented.String())
	}
	return nil
}
