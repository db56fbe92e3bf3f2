package main

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"regexp"
	"strings"

	"systemscale/etl/shapes"
	"systemscale/scripts/measure"
	"systemscale/scripts/measure/workspace"
)

// variant is a way to render the catalog: a shape file that is made of the built-in one, and the directory of the CSV files.
type variant struct {
	name  string
	shape []byte
	csv   string
}

// keyColumns are the numbers of the columns of each file, from the first, that contain keys.
var keyColumns = map[string]int{"product.csv": 1, "features.csv": 2, "styles.csv": 2, "photos.csv": 2, "skus.csv": 2, "related.csv": 3}

const (
	// cards is the body of a document with the name, the price and the first photo of each related product.
	cards = `{each: related, as: {lookup: product, by: related_product_id, as: ` +
		`{name: name, price: default_price, photo: {one: styles, as: {one: photos, as: thumbnail_url}}}}}`

	// totals is one more document, with aggregates over all SKUs and related rows.
	totals = `
  totals:
    path: totals
    body:
      skus: {count: styles.skus}
      quantity: {sum: quantity, of: styles.skus}
      least: {min: quantity, of: styles.skus}
      most: {max: quantity, of: styles.skus}
      mean: {average: quantity, of: styles.skus}
      sizes: {counts: size, of: styles.skus}
      sold_out: {count: styles.skus, where: {quantity: 0}}
      related: {count: related}
      last_related: {max: related_product_id, of: related}
`
)

// variants returns the built-in shape, and others for the same rows. csv has the files of a catalog without dirt; the same rows with texts
// as keys are in textCSV.
func variants(csv, textCSV string) ([]variant, error) {
	builtIn := shapes.Products
	textKeys := regexp.MustCompile(`(\w*[iI]d): int`).ReplaceAll(builtIn, []byte("$1: text"))
	textKeys = bytes.ReplaceAll(textKeys, []byte("{text: id}"), []byte("id"))
	withCards := bytes.Replace(builtIn, []byte("{each: related, as: related_product_id}"), []byte(cards), 1)
	if bytes.Equal(textKeys, builtIn) || bytes.Equal(withCards, builtIn) {
		return nil, errors.New("the built-in shape has other keys, or another document of related products, than this program replaces")
	}
	return []variant{
		{"the built-in shape", builtIn, csv},
		{"text keys", textKeys, textCSV},
		{"a card for each related product", withCards, csv},
		{"aggregates over all SKUs and related rows", append(bytes.Clone(builtIn), totals...), csv},
	}, nil
}

// writeTextKeys writes the files of a catalog with texts as keys, such as p000000012 for 12. The texts have the same order as the numbers.
func writeTextKeys(csv, into string) error {
	if err := os.MkdirAll(into, 0o755); err != nil {
		return err
	}
	for name, keys := range keyColumns {
		if err := writeFileWithTextKeys(filepath.Join(csv, name), filepath.Join(into, name), keys); err != nil {
			return err
		}
	}
	return nil
}

// writeFileWithTextKeys writes one file. Its first columns are keys; a field of them has no quotes and is on one line with them.
func writeFileWithTextKeys(from, to string, keys int) (err error) {
	in, err := os.Open(from)
	if err != nil {
		return err
	}
	defer func() { _ = in.Close() }()
	out, err := os.Create(to)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, out.Close()) }()
	lines, writer := bufio.NewScanner(in), bufio.NewWriterSize(out, 1<<20)
	lines.Buffer(nil, 1<<20)
	for header := true; lines.Scan(); header = false {
		fields := bytes.SplitN(lines.Bytes(), []byte(","), keys+1)
		if !header {
			for i := range keys {
				fields[i] = fmt.Appendf(nil, "p%09s", fields[i])
			}
		}
		_, _ = writer.Write(append(bytes.Join(fields, []byte(",")), '\n')) // Flush returns the error
	}
	return errors.Join(lines.Err(), writer.Flush())
}

// compareVariants measures the processor time of rendering each variant, in turn in each round, in proportion to the built-in shape.
func compareVariants(ctx context.Context, w *workspace.Workspace, rounds int, stdout io.Writer) error {
	if err := w.Prepare(ctx); err != nil {
		return err
	}
	csv, err := w.Generate(ctx, "clean")
	if err != nil {
		return err
	}
	textCSV := w.CSV() + "-text-keys"
	if err := writeTextKeys(csv, textCSV); err != nil {
		return fmt.Errorf("write the catalog with texts as keys: %w", err)
	}
	all, err := variants(csv, textCSV)
	if err != nil {
		return err
	}
	r, err := newReport(ctx, "variants", w, rounds)
	if err != nil {
		return err
	}
	seconds, ratios := make([][]float64, len(all)), make([][]float64, len(all))
	for round := range rounds {
		fmt.Fprintf(os.Stderr, "round %d of %d:", round+1, rounds)
		for i, v := range all {
			took, err := v.render(ctx, w.Program("etl"), w.Work)
			if err != nil {
				return fmt.Errorf("%s: %w", v.name, err)
			}
			fmt.Fprintf(os.Stderr, " %.1f s", took.CPU.Seconds())
			seconds[i] = append(seconds[i], took.CPU.Seconds())
			ratios[i] = append(ratios[i], took.CPU.Seconds()/seconds[0][round])
		}
		fmt.Fprintln(os.Stderr)
	}
	for i, v := range all {
		r.add("render, processor time: "+v.name, "s", seconds[i]...)
	}
	for i, v := range all[1:] {
		r.add(v.name+" / "+all[0].name, "times", ratios[i+1]...)
	}
	return r.write(stdout, w.Work)
}

// render measures etl render, which must reject no row. The shape file is written into the directory work.
func (v *variant) render(ctx context.Context, etl, work string) (measure.Cost, error) {
	shape := filepath.Join(work, "variant.yaml")
	if err := os.WriteFile(shape, v.shape, 0o644); err != nil {
		return measure.Cost{}, err
	}
	if err := workspace.Warm(v.csv); err != nil {
		return measure.Cost{}, err
	}
	took, err := measure.Run(ctx, etl, "render", "--csv", v.csv, "--shape", shape)
	if err == nil && !strings.Contains(took.Out, "\n0 rows rejected") {
		err = fmt.Errorf("etl render rejected rows:\n%s", took.Out)
	}
	return took, err
}
