package command

import (
	"bytes"
	"context"
	"fmt"
	"strconv"

	"github.com/dustin/go-humanize"
	"github.com/goccy/go-json"

	"systemscale/etl/internal/dump"
	"systemscale/etl/internal/plan"
	"systemscale/etl/internal/shape"
	"systemscale/etl/internal/source"
	"systemscale/sql"
)

type explainCommand struct {
	Collection string         `arg:"" help:"Name of the collection, as in the shape file."`
	ID         string         `arg:"" name:"id" help:"Id of the item, as in its address."`
	Files      fileFlags      `embed:""`
	Temporary  temporaryFlags `embed:""`
	Item       itemFlags      `embed:""`
}

func (c *explainCommand) Help() string {
	return `Reads all files and prints the lines that an item's documents are made of, each with file and line number, and the documents. The
lines that are looked up follow the others. It needs no database.

Example:
  etl explain products 42 --csv ./dump`
}

// usedLine is a line of a CSV file that is part of an item.
type usedLine struct {
	source int
	line   int64
	raw    []byte
}

// Run explains one item.
func (c *explainCommand) Run(ctx context.Context, out *output) error {
	done, err := c.Files.spool(ctx, c.Temporary.Temp)
	if err != nil {
		return err
	}
	defer done()
	options := c.Files.options(out)
	options.Temp, options.MaxDocument = c.Temporary.Temp, int64(c.Item.MaxDocument)
	d, err := dump.Open(ctx, options)
	if err != nil {
		return err
	}
	defer d.Close()
	if spec := d.Spec(); c.Collection != spec.Collection {
		return &usageError{fmt.Sprintf("the shape %s is of the collection %s, not %s: name that, or another file with --shape",
			spec.Name, spec.Collection, c.Collection)}
	}
	if root := &d.Spec().Sources[0]; root.KeyForm != shape.IDKeys {
		if _, err := strconv.ParseInt(c.ID, 10, 64); err != nil {
			return &usageError{fmt.Sprintf("the id of a %s is an integer, and not %q", root.Name, c.ID)}
		}
	}
	return d.Arranged(ctx, func(d *dump.Dump) error { return c.explain(ctx, out, d) })
}

// explain finds the item in one pass. The pass continues after the item, because a later row may show that a file must be sorted.
func (c *explainCommand) explain(ctx context.Context, out *output, d *dump.Dump) error {
	var lines []usedLine
	var documents [][]byte
	wanted := false
	var item sql.ID
	targets := d.NewTargets()
	take := func(i int, reader *source.Reader) {
		lines = append(lines, usedLine{i, reader.Line(), bytes.Clone(reader.Raw())})
	}
	err := d.Pass(ctx, dump.Handlers{
		Row: func(i int, reader *source.Reader) {
			if i == 0 {
				wanted = reader.LastID().String() == c.ID
			}
			if wanted {
				take(i, reader)
				targets.Add(i, reader)
			}
		},
		Document: func(_ int, id sql.ID, _ uint64, body []byte) error {
			if id.String() == c.ID {
				documents = append(documents, bytes.Clone(body))
				item = id
			}
			return nil
		},
	})
	if err != nil {
		return err
	}
	if err := d.RefuseCutFiles(); err != nil {
		return err
	}
	spec := d.Spec()
	if len(documents) == 0 {
		root := &spec.Sources[0]
		return &source.FileError{File: d.FileName(0), Message: fmt.Sprintf(
			"there is no %s with %s %s: no row has this id, or its row is rejected or filtered; etl run reports the rejected rows",
			root.Name, root.Names(root.Key), c.ID)}
	}
	if err := d.LookedUp(ctx, targets, take); err != nil {
		return err
	}
	for _, l := range lines {
		file, line := d.Place(l.source, l.line)
		fmt.Fprintf(out.stdout, "%s:%d: %s\n", shape.FileName(file), line, l.raw)
	}
	for i, body := range documents {
		endpoint := spec.Endpoints[i]
		var indented bytes.Buffer
		if err := json.Indent(&indented, body, "", "  "); err != nil {
			return fmt.Errorf("indent %s: %w", endpoint.Name, err)
		}
		fmt.Fprintf(out.stdout, "\n%s, at %s, %s bytes\n%s\n",
			endpoint.Name, plan.AddressOf(spec, endpoint, item), humanize.Comma(int64(len(body))), indented.String())
	}
	return nil
}
