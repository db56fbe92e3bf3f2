package source

import (
	"bufio"
	"encoding/base64"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"unicode/utf8"

	"github.com/goccy/go-json"
)

// Reject is a row that was not used, and why.
type Reject struct {
	File   string
	Line   int64  // from 1, the header's
	Offset int64  // of the line's first byte
	Column string // the column at fault, or empty
	Reason Reason
	Raw    []byte // the line as it stands in the file, valid only during the call; of a line too long its beginning
}

// Sink takes rejects.
type Sink interface {
	Reject(Reject) error
}

// kept is how many rejects a RejectFiles keeps in memory to show.
const kept = 10

// RejectFiles writes the rejects of a run into Directory, which it makes at the first one: rejects.ndjson with one
// object for each row, and beside it, under the name of each CSV, the rows as they stand in the file. It is used by one goroutine.
type RejectFiles struct {
	Directory string

	log   *bufio.Writer
	raw   map[string]*bufio.Writer
	files []*os.File
	first []string
}

// First returns a line for each of the first rejects: file, line, column, reason and text.
func (f *RejectFiles) First() []string { return f.first }

// rejectLine is one line of rejects.ndjson. A row that is not UTF-8 is in RowBase64 in place of Row.
type rejectLine struct {
	File      string `json:"file"`
	Line      int64  `json:"line"`
	Offset    int64  `json:"offset"`
	Column    string `json:"column,omitempty"`
	Reason    Reason `json:"reason"`
	Row       string `json:"row,omitempty"`
	RowBase64 string `json:"row_base64,omitempty"`
}

// Reject writes one row. The error is that of the file system.
func (f *RejectFiles) Reject(reject Reject) error {
	if f.log == nil {
		if err := os.MkdirAll(f.Directory, 0o755); err != nil {
			return err
		}
		log, err := f.create("rejects.ndjson")
		if err != nil {
			return err
		}
		f.log, f.raw = log, map[string]*bufio.Writer{}
	}
	raw := f.raw[reject.File]
	if raw == nil {
		created, err := f.create(reject.File)
		if err != nil {
			return err
		}
		raw, f.raw[reject.File] = created, created
	}
	line := rejectLine{File: reject.File, Line: reject.Line, Offset: reject.Offset, Column: reject.Column, Reason: reject.Reason}
	if utf8.Valid(reject.Raw) {
		line.Row = string(reject.Raw)
	} else {
		line.RowBase64 = base64.StdEncoding.EncodeToString(reject.Raw)
	}
	encoded, err := json.MarshalWithOption(line, json.DisableHTMLEscape())
	if err != nil {
		return err
	}
	if len(f.first) < kept {
		f.first = append(f.first, show(reject))
	}
	_, logErr := f.log.Write(append(encoded, '\n'))
	_, rawErr := raw.Write(append(reject.Raw[:len(reject.Raw):len(reject.Raw)], '\n'))
	return errors.Join(logErr, rawErr)
}

func show(reject Reject) string {
	column := ""
	if reject.Column != "" {
		column = " " + reject.Column
	}
	return fmt.Sprintf("%s:%d:%s %s: %#q", reject.File, reject.Line, column, reject.Reason, abbreviate(reject.Raw))
}

func (f *RejectFiles) create(name string) (*bufio.Writer, error) {
	file, err := os.Create(filepath.Join(f.Directory, name))
	if err != nil {
		return nil, err
	}
	f.files = append(f.files, file)
	return bufio.NewWriterSize(file, 64<<10), nil
}

// Close writes what is buffered and closes the files. A second call does nothing.
func (f *RejectFiles) Close() error {
	var errs []error
	if f.log != nil {
		errs = append(errs, f.log.Flush())
	}
	for _, raw := range f.raw {
		errs = append(errs, raw.Flush())
	}
	for _, file := range f.files {
		errs = append(errs, file.Close())
	}
	f.log, f.raw, f.files = nil, nil, nil
	return errors.Join(errs...)
}
