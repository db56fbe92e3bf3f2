package source

import (
	"bytes"
	"fmt"
	"slices"
	"strings"

	"systemscale/etl/internal/csvscan"
	"systemscale/etl/internal/nearest"
	"systemscale/etl/internal/shape"
	"systemscale/sql/printable"
)

// Notation returns the part of a dialect that determines the fields of a record.
func Notation(dialect *shape.Dialect) csvscan.Dialect {
	return csvscan.Dialect{
		Delimiter: string(dialect.Delimiter), TrimSpaces: dialect.TrimSpaces, NoQuotes: dialect.NoQuotes, Multiline: dialect.Multiline,
	}
}

// header determines the layout of the file from its header, or from the shape if it has none.
func (r *Reader) header() error {
	read := r.readHeader
	if r.dialect.NoHeader {
		read = r.lookAtBeginning
	}
	names, err := read()
	if names == nil || err != nil {
		return err
	}
	r.layout.width = len(names)
	for i, declared := range r.spec.Columns {
		at := slices.Index(names, declared.Name)
		place := r.placeOf(i)
		r.layout.columns[i] = column{
			field: at, converter: newConverter(&declared, r.dialect), nullable: declared.Nullable, place: place, nulls: r.nullWords(i),
			tests: r.tests(i), lists: r.lists(i),
		}
		if declared.LookedUp {
			r.layout.columns[i].field = -1
			continue
		}
		if at < 0 && r.fault == FaultHeader {
			message := fmt.Sprintf("%s, which has no column %q%s", FaultHeader, declared.Name, r.encodingHint())
			return &FileError{File: r.spec.File, Line: r.scanner.Line(), Message: message}
		}
		kind := MissingColumn
		if r.spec.IsKey(i) {
			kind = "" // a key cannot be null in all rows
		}
		if at < 0 && r.options.MissingColumns && kind != "" {
			r.layout.missing = append(r.layout.missing, declared.Name)
			if place >= 0 {
				r.layout.absent = append(r.layout.absent, place)
			}
			continue
		}
		if at < 0 {
			return &FileError{Kind: kind, File: r.spec.File, Line: r.scanner.Line(), Message: fmt.Sprintf(
				"the header has no column %q; it has %s. Correct the header, or the columns of source %s in the shape file%s%s",
				declared.Name, abbreviate([]byte(printable.Names(names))), r.spec.Name, r.encodingHint(),
				r.headerHint(names, declared.Name))}
		}
		if slices.Contains(names[at+1:], declared.Name) {
			message := fmt.Sprintf("the header has the column %q twice", declared.Name)
			return &FileError{File: r.spec.File, Line: r.scanner.Line(), Message: message}
		}
	}
	r.breaks = NewBreaks(Notation(r.dialect), r.layout.width, r.keyFields()...)
	return nil
}

// readHeader returns the names in the header, or nil for an empty file that is accepted.
func (r *Reader) readHeader() ([]string, error) {
	if !r.scanner.Scan() {
		return nil, r.emptyError("the file is empty: it has no header")
	}
	if r.options.Origins != nil {
		r.current.origin = r.options.Origins.Next()
	}
	if !r.ended() {
		r.fault = FaultHeader
	}
	if form := Form(r.scanner.Raw()); form != "" {
		return nil, &FileError{File: r.spec.File, Line: r.scanner.Line(), Message: form}
	}
	names := make([]string, 0, 16)
	for _, field := range r.scanner.Fields() {
		names = append(names, string(field.Text))
	}
	return names, nil
}

// lookAtBeginning returns the names of the columns of a file without header, or nil for an empty file that is accepted.
func (r *Reader) lookAtBeginning() ([]string, error) {
	if text, all := r.scanner.Ahead(beginning); len(text) == 0 && all {
		r.scanner.Scan() // for its error
		if err := r.emptyError("the file is empty"); err != nil {
			return nil, err
		}
	}
	text, _ := r.scanner.Ahead(0)
	if form := Beginning(text); form != "" {
		return nil, &FileError{File: r.spec.File, Line: 1, Message: form}
	}
	return r.spec.FileColumns(), nil
}

// headerHint returns an addition to the message about a missing column.
func (r *Reader) headerHint(names []string, missing string) string {
	if hint := SpacesHint(r.dialect, names, missing); hint != "" {
		return ": " + hint
	}
	unused := slices.DeleteFunc(slices.Clone(names), func(name string) bool {
		return slices.ContainsFunc(r.spec.Columns, func(c shape.Column) bool { return c.Name == name })
	})
	if question := nearest.Question(missing, unused); question != "" {
		return ": " + question
	}
	return RowHint(r.spec, names)
}

// emptyError returns the error for a file in which no record was found, or nil if that is accepted.
func (r *Reader) emptyError(message string) error {
	if err := r.scanner.Err(); err != nil {
		return &FileError{File: r.spec.File, Message: "the file cannot be read: " + err.Error(), Err: err}
	}
	if r.options.NoHeader {
		return nil
	}
	return &FileError{Kind: Empty, File: r.spec.File, Message: message}
}

// beginning is the number of bytes at the beginning of a file without header that are looked at before it is read.
const beginning = 64 << 10

// Beginning is Form for the beginning of a file without header.
func Beginning(text []byte) string {
	line, _, ended := bytes.Cut(text, []byte{'\n'})
	if ended {
		line = bytes.ReplaceAll(line, []byte{'\r'}, nil) // a field may contain one
	}
	return Form(line)
}

// SpacesHint returns the remedy for a header that lacks a column, if it has the name with spaces that trim_spaces would remove. Otherwise
// it returns "".
func SpacesHint(dialect *shape.Dialect, names []string, missing string) string {
	at := slices.IndexFunc(names, func(name string) bool { return strings.Trim(name, " \t") == missing })
	if at < 0 || dialect.TrimSpaces {
		return ""
	}
	return fmt.Sprintf("did you mean %s? With trim_spaces: true in the dialect, spaces around names and fields do not count",
		printable.Name(names[at]))
}

// RowHint returns an addition to a message about a header that lacks a column of a source, if it may be a row. Otherwise it returns "".
func RowHint(spec *shape.Source, names []string) string {
	declared := spec.FileColumns()
	known := slices.ContainsFunc(names, func(name string) bool { return slices.Contains(declared, name) })
	if known || len(names) != len(declared) {
		return ""
	}
	return ". If the first line is a row, declare header: false in the dialect"
}

// encodingHint returns the part of a message about the header that tells whether the encoding may be a cause. It is often empty.
func (r *Reader) encodingHint() string { return EncodingHint(r.scanner.Raw(), r.options.Encoding) }

// keyFields returns the indices of the fields that hold an int of the row's key or of the parent's key, in the plain notation.
func (r *Reader) keyFields() []int {
	var fields []int
	for _, column := range slices.Concat(r.spec.Key, r.spec.ParentKey) {
		// A nullable column may have another text than an int.
		if c := &r.layout.columns[column]; c.converter.kind == shape.Int && !c.nullable && c.converter.numbers == nil {
			fields = append(fields, c.field)
		}
	}
	return fields
}

// nullWords returns the unquoted fields that mean null in a column.
func (r *Reader) nullWords(column int) (words [][]byte) {
	for _, word := range r.dialect.NullWords(&r.spec.Columns[column]) {
		words = append(words, []byte(word))
	}
	return words
}

// tests returns the filters with a test of a column.
func (r *Reader) tests(column int) []*filter {
	var tests []*filter
	for i := range r.filters {
		if f := &r.filters[i]; f.column == column && f.test != nil {
			tests = append(tests, f)
		}
	}
	return tests
}

// lists returns the texts between the ints of the lists in a column.
func (r *Reader) lists(column int) (lists [][]byte) {
	for _, list := range r.spec.IntLists {
		if list.Column == column {
			lists = append(lists, []byte(list.At))
		}
	}
	return lists
}
