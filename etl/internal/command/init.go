package command

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"strings"

	"systemscale/etl/internal/inspect"
)

type initCommand struct {
	CSV  string `name:"csv" required:"" type:"path" placeholder:"DIR" help:"Directory that holds the CSV files."`
	Out  string `placeholder:"FILE" help:"Shape file to write; a file that exists is not overwritten. Without it, the text goes to standard output."`
	Root string `placeholder:"FILE" help:"CSV file whose rows are the items. Default: the one that most others refer to."`
}

func (c *initCommand) Help() string {
	return `Reads the CSV files of a directory to their ends and writes a shape file for them: dialect, types, keys, joins and one nested
document for each item. Each guess has a comment with its evidence. It needs no database, and bounded memory for files of any size.

Example:
  etl init --csv ./dump --out ./books.yaml
  etl check --csv ./dump --shape ./books.yaml`
}

// Run guesses a shape file.
func (c *initCommand) Run(ctx context.Context, out *output) error {
	if c.Out != "" {
		if _, err := os.Lstat(c.Out); err == nil {
			return c.exists()
		}
	}
	var bar *progress
	written, err := inspect.Directory(ctx, inspect.Options{
		Directory: c.CSV, Name: c.name(), Root: c.Root,
		Progress: func(read, total int64) {
			if bar == nil {
				bar = newProgress(out.stderr, total, "init")
			}
			bar.at(read)
		},
	})
	if bar != nil {
		bar.finish(err)
	}
	if err != nil {
		return err
	}
	if c.Out == "" {
		if _, err := out.stdout.Write(written); err != nil {
			return err
		}
	} else if err := c.create(written); err != nil {
		return err
	}
	fmt.Fprintf(out.stderr, "Next: etl check --shape %s --csv %s\n", shellWord(c.name()), shellWord(c.CSV))
	return nil
}

// name is the name of the shape file in messages.
func (c *initCommand) name() string {
	if c.Out == "" {
		return "FILE"
	}
	return c.Out
}

func (c *initCommand) exists() error {
	return &usageError{fmt.Sprintf("%s exists and is not overwritten: remove it, or name another file with --out", c.Out)}
}

func (c *initCommand) create(text []byte) error {
	file, err := os.OpenFile(c.Out, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o666)
	if errors.Is(err, fs.ErrExist) {
		return c.exists()
	}
	if err != nil {
		return &usageError{fmt.Sprintf("the shape file cannot be written: %s", err)}
	}
	_, err = file.Write(text)
	return errors.Join(err, file.Close())
}

// shellWord quotes a word for a POSIX shell, if it needs quotes.
func shellWord(word string) string {
	plain := func(r rune) bool {
		return r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' || r >= '0' && r <= '9' || strings.ContainsRune("_-./+,:@%", r)
	}
	if word != "" && strings.IndexFunc(word, func(r rune) bool { return !plain(r) }) < 0 {
		return word
	}
	return "'" + string(bytes.ReplaceAll([]byte(word), []byte("'"), []byte(`'\''`))) + "'"
}
