package shape

import (
	"slices"
	"strings"

	"github.com/goccy/go-yaml/ast"
	"github.com/goccy/go-yaml/token"

	"systemscale/etl/internal/charset"
)

// fileForm is a dialect with the setting of it that does not affect the documents.
type fileForm struct {
	Dialect
	openEnd bool // the default of Source.OpenEnd
}

// dialect parses a dialect, which overrides the keys of base that it names.
func (r *reader) dialect(n ast.Node, base fileForm) fileForm {
	d := base
	for _, e := range r.mapping(n, "dialect", dialectKeywords...) {
		switch e.key {
		case "delimiter":
			d.Delimiter = r.delimiter(e.value)
		case "null":
			d.Null, d.Nulls = "", r.nullWords(e.value)
			if len(d.Nulls) == 1 && d.Nulls[0] != "" {
				d.Null, d.Nulls = d.Nulls[0], nil
			}
		case "encoding":
			d.Encoding = r.encoding(e.value)
		case "numbers":
			d.Numbers = r.numbers(e.value)
		case "quotes":
			d.NoQuotes = !r.boolean(e.value, "quotes")
		case "header":
			d.NoHeader = !r.boolean(e.value, "header")
		case "records":
			d.Multiline = r.records(e.value)
		case "short_rows":
			d.ShortRows = r.shortRows(e.value)
		case "trim_spaces":
			d.TrimSpaces = r.boolean(e.value, "trim_spaces")
		case "close_quotes":
			d.CloseQuotes = r.boolean(e.value, "close_quotes")
		case "final_newline":
			d.openEnd = r.finalNewline(e.value)
		}
	}
	r.checkDialect(position(n), &d.Dialect)
	return d
}

// checkDialect refuses settings that do not go together.
func (r *reader) checkDialect(at *token.Position, d *Dialect) {
	if d.TrimSpaces && len(d.Delimiter) > 1 && strings.ContainsAny(string(d.Delimiter[0]), " \t") {
		r.fail(at, "with trim_spaces, a delimiter of several bytes cannot begin with a space or a tab: %q; leave its spaces out",
			string(d.Delimiter))
	}
	if d.Multiline && d.CloseQuotes {
		r.fail(at, "with records: quoted, a quote that is open at the end of a line cannot be closed there; write close_quotes: false here, "+
			"or leave it out of the shape's dialect")
	}
	if d.Multiline && d.NoQuotes {
		r.fail(at, "records: quoted has no meaning with quotes: false; leave one of them out, or write records: lines here")
	}
	if d.NoQuotes && d.CloseQuotes {
		r.fail(at, "close_quotes has no meaning with quotes: false; write close_quotes: false here, or leave it out of the shape's dialect")
	}
	if !d.NoQuotes && strings.Contains(string(d.Delimiter), `"`) {
		r.fail(at, "delimiter must not contain a quote, except with quotes: false: %q", string(d.Delimiter))
	}
}

func (r *reader) delimiter(n ast.Node) Delimiter {
	text := r.text(n, "delimiter")
	switch {
	case text == "":
		r.fail(position(n), `delimiter must be one byte or more, such as ";" or "+|"`)
	case strings.ContainsAny(text, "\r\n"):
		r.fail(position(n), "delimiter must not contain a line end: %q", text)
	}
	return Delimiter(text)
}

// encoding parses the name of an encoding. UTF-8 is "".
func (r *reader) encoding(n ast.Node) string {
	name := r.text(n, "encoding")
	switch {
	case name == charset.UTF8:
		return ""
	case !slices.Contains(charset.Names(), name):
		r.fail(position(n), "%q is no encoding; the encodings are %s", name, strings.Join(charset.Names(), ", "))
	}
	return name
}

// records reports whether a quoted field may contain line ends.
func (r *reader) records(n ast.Node) bool {
	word := r.text(n, "records")
	if word != "quoted" && word != "lines" {
		r.fail(position(n), "records must be lines, or quoted if a quoted field may contain line ends; it is %q", word)
	}
	return word == "quoted"
}

// shortRows reports whether the last fields of a row may be missing.
func (r *reader) shortRows(n ast.Node) bool {
	if n.Type() != ast.NullType {
		if word := r.text(n, "short_rows"); word == "null" || word == "reject" {
			return word == "null"
		}
	}
	r.fail(position(n), `short_rows must be "null", in quotes, or reject`)
	return false
}

// finalNewline reports whether the line end of a file's last line is optional.
func (r *reader) finalNewline(n ast.Node) bool {
	word := r.text(n, "final_newline")
	if word != "optional" && word != "required" {
		r.fail(position(n), "final_newline must be required or optional, not %q", word)
	}
	return word == "optional"
}

// nullWords parses one null word or a list. The result is not nil.
func (r *reader) nullWords(n ast.Node) []string {
	nodes := []ast.Node{n}
	if list, ok := n.(*ast.SequenceNode); ok {
		nodes = list.Values
	}
	words := []string{}
	for _, node := range nodes {
		if node.Type() == ast.NullType {
			r.fail(position(node), `null is a value of YAML: put quotes around the word that means null, such as null: "NULL"`)
		}
		word := r.text(node, "a null word")
		if strings.ContainsAny(word, "\r\n\x00") {
			r.fail(position(node), "no field can be %q: a null word has no line end and no NUL", word)
		}
		if !slices.Contains(words, word) {
			words = append(words, word)
		}
	}
	return words
}
