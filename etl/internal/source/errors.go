package source

import (
	"fmt"

	"systemscale/etl/internal/shape"
)

// Kind classifies the FileErrors that --accept can accept.
type Kind string

// The kinds of FileErrors.
const (
	MissingColumn Kind = "missing-column"
	Empty         Kind = "empty-file"
)

// FileError is an error that makes a whole file unusable.
type FileError struct {
	Kind    Kind // empty if it cannot be accepted
	File    string
	Line    int64 // 0 if the error is not in a line
	Message string
	Err     error // the error of the file system, or nil
}

func (e *FileError) Unwrap() error { return e.Err }

func (e *FileError) Error() string {
	if e.Line == 0 {
		return shape.FileName(e.File) + ": " + e.Message
	}
	return fmt.Sprintf("%s:%d: %s", shape.FileName(e.File), e.Line, e.Message)
}
