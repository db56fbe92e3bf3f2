package workspace

import (
	"errors"
	"io"
	"os"
	"path/filepath"
)

// Warm reads all CSV files of a directory, so that they are in the page cache and the next measurement does not include the disk.
func Warm(directory string) error {
	files, err := filepath.Glob(filepath.Join(directory, "*.csv"))
	if err != nil {
		return err
	}
	for _, path := range files {
		file, err := os.Open(path)
		if err != nil {
			return err
		}
		_, err = io.Copy(struct{ io.Writer }{io.Discard}, file)
		if err := errors.Join(err, file.Close()); err != nil {
			return err
		}
	}
	return nil
}
