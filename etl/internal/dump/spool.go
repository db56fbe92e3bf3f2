package dump

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"

	"systemscale/etl/internal/shape"
	"systemscale/etl/internal/source"
)

// Spool copies the standard input into a new directory below temp, which "" leaves to the system, as the file of the shape's only source:
// files have to be read twice, for their order or to load the documents. The copy is as large as the input, which may be compressed.
// remove removes the directory.
func Spool(ctx context.Context, input io.Reader, temp string) (directory string, remove func(), err error) {
	directory, err = os.MkdirTemp(temp, "etl-stdin-")
	if err != nil {
		return "", nil, fmt.Errorf("create a directory for the standard input: %w. --temp names another place", err)
	}
	remove = func() { _ = os.RemoveAll(directory) } // what cannot be removed is in a directory for temporary files
	if err := spool(ctx, input, directory); err != nil {
		remove()
		if ctx.Err() != nil {
			return "", nil, ctx.Err()
		}
		if path := (*fs.PathError)(nil); errors.As(err, &path) && path.Op != "read" {
			err = fmt.Errorf("copy the standard input into %s: %w; --temp names another directory, on a disk with more room", directory, path.Err)
			return "", nil, err
		}
		return "", nil, &source.FileError{File: shape.StandardInput, Message: reason(err), Err: err}
	}
	return directory, remove, nil
}

func spool(ctx context.Context, input io.Reader, directory string) error {
	reader := &interruptible{ctx: ctx, reader: input}
	head := make([]byte, source.ArchiveSize)
	n, err := io.ReadFull(reader, head)
	if err != nil && !errors.Is(err, io.EOF) && !errors.Is(err, io.ErrUnexpectedEOF) {
		return err
	}
	head = head[:n]
	name := shape.StandardInput
	for begins, extension := range map[string]string{"\x1f\x8b": ".gz", "\x28\xb5\x2f\xfd": ".zst"} {
		if bytes.HasPrefix(head, []byte(begins)) {
			name += extension
		}
	}
	file, err := os.Create(filepath.Join(directory, name))
	if err != nil {
		return err
	}
	_, err = io.Copy(file, io.MultiReader(bytes.NewReader(head), reader))
	return errors.Join(err, file.Close())
}
