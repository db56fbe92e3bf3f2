// Package inspect guesses a shape file for a directory of CSV files.
//
// It reads every file twice, as a stream: the first reading shows the dialect, the types of the columns and the keys, the second one which
// columns have the keys of other files. Memory is bounded; see set. Each guess has a comment with its evidence.
package inspect

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"systemscale/etl/internal/dump"
	"systemscale/etl/internal/shape"
	"systemscale/etl/internal/source"
)

// mostFiles is the number of files that Directory reads at most.
const mostFiles = 200

// Directory returns the text of a shape file for a directory. The error has a *source.FileError for each file that cannot be read.
func Directory(ctx context.Context, options Options) ([]byte, error) {
	texts, errs := dump.Texts(options.Directory)
	switch {
	case len(errs) > 0:
		return nil, errors.Join(errs...)
	case len(texts) == 0:
		return nil, &source.FileError{File: options.Directory, Message: "there is no CSV file: the names of such files end in " +
			strings.Join(dump.TextExtensions, ", ") + ", or also in .gz or .zst after that"}
	case len(texts) > mostFiles:
		return nil, &source.FileError{File: options.Directory, Message: fmt.Sprintf(
			"there are %s, and etl init compares at most %d: copy those of one collection into a directory",
			count(int64(len(texts)), "file"), mostFiles)}
	}
	in := &inspection{options: options, memory: memory{slots: allSlots}}
	for _, text := range texts {
		in.total += 2 * text.Size()
	}
	if err := in.readAll(ctx, texts); err != nil {
		return nil, err
	}
	if err := in.references(ctx); err != nil {
		return nil, err
	}
	in.chooseKeys()
	in.keepKeys()
	in.findLists()
	tr, err := in.plant(options.Root)
	if err != nil {
		return nil, err
	}
	written := in.write(tr)
	if _, err := shape.Parse(options.Name, written); err != nil {
		return nil, fmt.Errorf("BUG: the shape file that was written is invalid: %w\n%s", err, written)
	}
	return written, nil
}

func (in *inspection) readAll(ctx context.Context, texts []dump.Text) error {
	names := map[string]bool{}
	for i := range texts {
		t := &table{text: texts[i], key: -1}
		t.source = plainName(t.base(), "source")
		if names[t.source] {
			t.source = plainName(t.text.Name, "source")
		}
		names[t.source] = true
		if err := t.read(ctx, &in.memory, in.tick(t)); err != nil {
			return err
		}
		in.read += t.text.Size()
		if t.problem != "" {
			in.left = append(in.left, t)
		} else {
			in.tables = append(in.tables, t)
		}
	}
	return nil
}
