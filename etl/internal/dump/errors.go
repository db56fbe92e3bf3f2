package dump

import (
	"errors"
	"fmt"
	"io/fs"
	"os"

	"systemscale/etl/internal/source"
)

// reason returns the cause of an error without the path, which the message around it names.
func reason(err error) string {
	var path *fs.PathError
	if errors.As(err, &path) {
		return path.Err.Error()
	}
	return err.Error()
}

// changedError returns the error for a file that changed during the reading, or nil when difference is empty.
func changedError(difference string) error {
	if difference == "" {
		return nil
	}
	return fmt.Errorf("the file changed while it was read: %s. Run again when the dump is complete", difference)
}

// CheckDirectory returns a *source.FileError unless there is such a directory.
func CheckDirectory(directory string) error {
	info, err := os.Stat(directory)
	message := ""
	switch {
	case errors.Is(err, fs.ErrNotExist):
		message = "there is no such directory: the dump has not arrived, or --csv names another place"
	case err != nil:
		message = reason(err)
	case !info.IsDir():
		message = "it is a file: --csv takes the directory that holds the CSV files"
	default:
		return nil
	}
	return &source.FileError{File: directory, Message: message, Err: err}
}
