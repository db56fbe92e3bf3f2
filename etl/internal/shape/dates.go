package shape

import (
	"bytes"

	"github.com/goccy/go-yaml/ast"

	"systemscale/etl/internal/strftime"
)

// The formats of columns that declare none.
const (
	dateFormat = "%Y-%m-%d"
	timeFormat = "%Y-%m-%dT%H:%M:%S%z"
)

// Layout returns the format of a column of dates or times.
func (c *Column) Layout() *strftime.Layout {
	format := c.Format
	switch {
	case format == "" && c.Type == Date:
		format = dateFormat
	case format == "":
		format = timeFormat
	}
	return mustCompile(format)
}

// mustCompile compiles a format that Parse has accepted, or a constant one.
func mustCompile(format string) *strftime.Layout {
	layout, err := strftime.Compile(format)
	if err != nil {
		panic("BUG: the format " + format + " " + err.Error())
	}
	return layout
}

// checkFormat rejects a format that cannot be read, and one for a column without dates.
func (r *reader) checkFormat(n ast.Node, column *Column) {
	if column.Type != Date && column.Type != Time {
		r.fail(position(n), "column %s has a format and the type %s: only date and time have formats", column.Name, column.Type)
	}
	layout, err := strftime.Compile(column.Format)
	if err != nil {
		r.fail(position(n), "the format %q of column %s %s", column.Format, column.Name, err)
	}
	if column.Type == Time && !layout.HasTime() {
		r.fail(position(n), "the format %q of column %s has no time: add %%H or %%I with %%p, or declare date", column.Format, column.Name)
	}
}

// operandLayouts are the formats of the times that a column can be compared with.
var operandLayouts = func() (layouts []*strftime.Layout) {
	for _, format := range []string{dateFormat, "%FT%R", "%F %R", "%FT%T.%f", "%F %T.%f", "%FT%R%z", "%F %R%z", "%FT%T.%f%z", "%F %T.%f%z"} {
		layouts = append(layouts, mustCompile(format))
	}
	return layouts
}()

// canonicalTime returns the canonical form of a date or a time that a column is compared with. A time without zone is in UTC.
func (c *Column) canonicalTime(text string) (string, bool) {
	if c.Type == Date {
		date, ok := operandLayouts[0].AppendDate(nil, []byte(text))
		return string(date), ok
	}
	for _, layout := range operandLayouts {
		canonical, ok := layout.AppendTime(nil, []byte(text))
		if !ok {
			continue
		}
		whole := canonical[:len("2006-01-02T15:04:05")]
		fraction := string(bytes.TrimSuffix(canonical[len(whole):], []byte("Z")))
		if fraction == "" {
			fraction = ".000"
		}
		if c.Layout().Millis() {
			return string(whole) + fraction + "Z", true
		}
		return string(whole) + "Z", fraction == ".000"
	}
	return "", false
}
