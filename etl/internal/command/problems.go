package command

import (
	"bytes"
	"cmp"
	"fmt"
	"io"
	"slices"
	"strings"

	"github.com/dustin/go-humanize"

	"systemscale/etl/internal/csvscan"
	"systemscale/etl/internal/shape"
	"systemscale/etl/internal/source"
	"systemscale/sql/printable"
)

// shownRows is the number of rows that are shown for each problem.
const shownRows = 3

// problem is why rows would be rejected: one reason in one column of a file.
type problem struct {
	file, source, column string
	reason               source.Reason
	shared               bool // other sources read the file, too
	rows                 int64
	shown                []string
	value                string // of the faulty column in the first row, quoted
	differ               bool   // the rows have different values
}

// problems is a Sink that collects the first rejected rows for each reason.
type problems struct {
	spec    *shape.Shape
	columns map[string][]string // of each file, by its name in the shape
	found   []*problem
}

// Reject notes one row.
func (p *problems) Reject(reject source.Reject) error {
	at := slices.IndexFunc(p.found, func(f *problem) bool {
		return f.source == reject.Source && f.column == reject.Column && f.reason == reject.Reason
	})
	if at < 0 {
		at = len(p.found)
		p.found = append(p.found, &problem{
			file: reject.File, source: reject.Source, column: reject.Column, reason: reject.Reason, shared: reject.Shared,
		})
	}
	found, value := p.found[at], p.value(reject)
	if found.rows++; found.rows <= shownRows {
		found.shown = append(found.shown, fmt.Sprintf("%s:%d: %s", shape.FileName(reject.File), reject.Line, value))
	}
	value = strings.TrimPrefix(value, reject.Column+" ")
	found.value = cmp.Or(found.value, value)
	found.differ = found.differ || value != found.value
	return nil
}

// value is the field of the faulty column, or the row.
func (p *problems) value(reject source.Reject) string {
	if s := p.source(reject.Source); s != nil {
		dialect := p.spec.DialectOf(s)
		fields := csvscan.NewCutter(source.Notation(dialect)).Cut(reject.Raw)
		if at := slices.Index(p.columns[reject.File], reject.Column); at >= 0 && at < len(fields) {
			return fmt.Sprintf("%s %s", reject.Column, quoted(fields[at].Text))
		}
	}
	if reject.Detail != "" {
		return reject.Detail + ": " + quoted(reject.Raw)
	}
	return quoted(reject.Raw)
}

// quoted shows the beginning of a text.
func quoted(text []byte) string {
	const most = 120
	text = bytes.ToValidUTF8(text, []byte("?"))
	if len(text) > most {
		return `"` + printable.Text(string(text[:most])) + `…"`
	}
	return `"` + printable.Text(string(text)) + `"`
}

// source returns the source with a name, or nil.
func (p *problems) source(name string) *shape.Source {
	for i := range p.spec.Sources {
		if s := &p.spec.Sources[i]; s.Name == name {
			return s
		}
	}
	return nil
}

// report writes each problem with its first rows and a remedy, the most frequent first.
func (p *problems) report(w io.Writer) {
	slices.SortStableFunc(p.found, func(a, b *problem) int { return cmp.Compare(b.rows, a.rows) })
	for _, f := range p.found {
		what := string(f.reason)
		if f.column != "" {
			what = "column " + printable.Name(f.column) + ": " + what
		}
		if f.shared {
			what += " (source " + f.source + ")"
		}
		fmt.Fprintf(w, "\n%s: %s would be rejected, %s\n", shape.FileName(f.file), plural(f.rows, "row"), what)
		for _, row := range f.shown {
			fmt.Fprintf(w, "  %s\n", row)
		}
		if more := f.rows - shownRows; more > 0 {
			fmt.Fprintf(w, "  and %s more\n", humanize.Comma(more))
		}
		if remedy := p.remedy(f); remedy != "" {
			fmt.Fprintf(w, "  If the file is correct, %s\n", remedy)
		}
	}
}

// remedy returns what to write into the shape file.
func (p *problems) remedy(f *problem) string {
	name, kind, multiline := printable.Name(f.column), "", false
	if s := p.source(f.source); s != nil {
		multiline = p.spec.DialectOf(s).Multiline
		name += " of source " + s.Name
		for _, c := range s.Columns {
			if c.Name == f.column {
				kind = c.Type.String()
			}
		}
	}
	switch f.reason {
	case source.NotInt, source.NotMoney, source.NotDecimal, source.NotFlag:
		return fmt.Sprintf(`declare the column %s as text, or the words in it that mean no value, such as {type: %s?, null: ["n/a"]}`, name, kind)
	case source.NotDate, source.NotTime:
		return fmt.Sprintf(`declare the format of the column %s, such as {type: %s, format: "%%d/%%m/%%Y"}`, name, kind)
	case source.NotJSON:
		return fmt.Sprintf("declare the column %s as text", name)
	case source.NullValue:
		return fmt.Sprintf("declare the column %s as %s?, which may be null", name, kind)
	case source.DuplicateKey:
		return "declare another key; rows: merge if the rows are one row; or no key, for a source without children"
	case source.Orphan:
		if !f.differ {
			return "filter these rows: filters: {no parent: {column: " + printable.Name(f.column) + ", drop: " + f.value + "}}"
		}
		return "a run publishes without these rows, as far as --max-rejects permits"
	case source.NoTarget:
		return "remove required: true from the look-up by " + printable.Name(f.column) + ": the value is then null"
	case source.FieldCount:
		return `declare the delimiter in the dialect, or short_rows: "null" if the last fields may be missing. ` +
			"A field that contains the delimiter needs quotes"
	case source.UnclosedQuote:
		if multiline {
			return ""
		}
		return "declare close_quotes: true in the dialect, or quotes: false if a quote is a character like any other"
	case source.BareQuote, source.TextAfterQuote:
		return "declare quotes: false in the dialect: a quote is then a character like any other"
	}
	return strings.Trim(f.reason.Hint(), " ()")
}

// tooManyRejects is the error of rejected rows that would stop a run.
func tooManyRejects(counts []source.Counts) error {
	const most = 100 // one in this many rows, as --max-rejects
	var files []string
	for i, label := range source.Labels(counts) {
		if rejected := source.Sum(counts[i].Rejected); rejected*most > counts[i].Read {
			files = append(files, fmt.Sprintf("%s of %s of %s", humanize.Comma(rejected), plural(counts[i].Read, "row"), label))
		}
	}
	if len(files) == 0 {
		return nil
	}
	return &rejectsError{fmt.Sprintf("a run would fail at the gate rejects: %s would be rejected, more than 1%%", strings.Join(files, ", "))}
}
