package shape_test

import (
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"

	"github.com/goccy/go-json"
	"github.com/goccy/go-yaml/ast"
	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"systemscale/etl/internal/dump"
	"systemscale/etl/internal/shape"
	"systemscale/etl/internal/source"
	"systemscale/sql"
)

const reference = "../../../infra/docs/shape-file.md"

// An example is a row of a table of the reference. The first cell of the table's header is its kind:
//
//	request, response        an address of the shop, and its document
//	body, result             a body, and what it is for the shop's first product
//	setting, body, result    the same, with settings that are added to a source of the shop
//	test, offers             a test of a column, and the ids of the first product's offers for which it holds
//	dialect, lines, value    a dialect, the lines of a file with the columns id and value, and the values. The type of value is the
//	                         second code of the first cell, or text?
//	column, field, value     the declaration of the column value, its field, and the value
//
// Other cells are for the reader. A last cell that begins with "rejected:" or "refused:" has the reason or a part of the message.
type example struct {
	line  int
	kind  string
	cells []cell
}

// A cell has a text and the pieces of code in it.
type cell struct {
	text string
	code []string
}

// outcome is what an example says, or what it does.
type outcome struct {
	Values   []any
	Rejected []string
	Refused  string
}

// A shop is the dump and the shape file that the examples share.
type shop struct {
	files map[string]string
	spec  string
}

// headers are the first cells of the headers of tables with examples. The last one is over the result.
var headers = map[string][]string{
	"request": {"request", "response"},
	"body":    {"body", "result"},
	"setting": {"setting", "body", "result"},
	"test":    {"test", "offers"},
	"dialect": {"dialect", "lines", "value"},
	"column":  {"column", "field", "value"},
}

// otherTables are the first cells of the headers of other tables.
var otherTables = []string{"keyword", "directive"}

// TestReference executes the examples, and checks that each keyword and each type has one.
func TestReference(t *testing.T) {
	text, err := os.ReadFile(reference)
	if err != nil {
		t.Fatal(err)
	}
	var lock sync.Mutex
	used := uses{}
	shared := readShop(t, string(text))
	t.Run("examples", func(t *testing.T) {
		for _, e := range examples(t, string(text)) {
			t.Run(fmt.Sprintf("line %d", e.line), func(t *testing.T) {
				t.Parallel()
				want := expected(t, e)
				spec, got := run(t, shared, e)
				if want.Refused != "" && strings.Contains(got.Refused, want.Refused) {
					want.Refused = got.Refused
				}
				if diff := cmp.Diff(want, got, cmpopts.EquateEmpty()); diff != "" {
					t.Errorf("%s:%d: %q: the page (-) and the program (+) differ\n%s", reference, e.line, e.cells[0].code, diff)
				}
				if want.Refused == "" {
					lock.Lock()
					defer lock.Unlock()
					used.shape(parse(t, spec))
				}
			})
		}
	})
	for list, keywords := range shape.Keywords() {
		for _, keyword := range keywords {
			if !used[use{list, keyword}] {
				t.Errorf("%s has no example of the keyword %s of %q", reference, keyword, list)
			}
		}
	}
	for _, name := range shape.Types() {
		if !used[use{"type", name}] {
			t.Errorf("%s has no example of the type %s", reference, name)
		}
	}
}

var (
	span      = regexp.MustCompile("`([^`]+)`")
	separator = regexp.MustCompile(`\\?\|`)
	escape    = regexp.MustCompile(`\\x[0-9A-F]{2}`)
)

// examples returns the rows of the tables with examples.
func examples(t *testing.T, text string) []example {
	t.Helper()
	var found []example
	kind := ""
	for i, line := range strings.Split(text, "\n") {
		if !strings.HasPrefix(line, "| ") {
			kind = ""
			continue
		}
		// "\|" is a character of a cell.
		line = separator.ReplaceAllStringFunc(line, func(s string) string { return map[string]string{"|": "\x00", `\|`: "|"}[s] })
		e := example{line: i + 1, kind: kind}
		for _, text := range strings.Split(strings.Trim(line, "\x00"), "\x00") {
			e.cells = append(e.cells, cell{text: strings.TrimSpace(text), code: pieces(text)})
		}
		first := e.cells[0].text
		switch {
		case kind == "":
			kind = first
			for j, name := range headers[kind] {
				if j >= len(e.cells) || e.cells[j].text != name {
					t.Fatalf("%s:%d: a table with the first column %s has the columns %s", reference, i+1, kind, headers[kind])
				}
			}
			if headers[kind] == nil && !slices.Contains(otherTables, kind) {
				t.Fatalf("%s:%d: a table with the first column %s is neither one of examples nor one of %s", reference, i+1, kind, otherTables)
			}
		case headers[kind] != nil && !strings.HasPrefix(first, "---"):
			found = append(found, e)
		}
	}
	return found
}

// pieces returns the pieces of code in a text.
func pieces(text string) (code []string) {
	for _, match := range span.FindAllStringSubmatch(text, -1) {
		code = append(code, match[1])
	}
	return code
}

// expected returns what the page says.
func expected(t *testing.T, e example) outcome {
	t.Helper()
	at := len(headers[e.kind]) - 1
	if len(e.cells) <= at || len(e.cells[0].code) == 0 || len(e.cells[at].code) == 0 {
		t.Fatalf("%s:%d: a row of %s needs code in its cell %d", reference, e.line, e.kind, at+1)
	}
	c := e.cells[at]
	if strings.HasPrefix(c.text, "refused:") {
		return outcome{Refused: c.code[0]}
	}
	var want outcome
	values, rejected, _ := strings.Cut(c.text, "rejected:")
	for _, code := range pieces(values) {
		want.Values = append(want.Values, decoded(t, code))
	}
	want.Rejected = pieces(rejected)
	return want
}

// run executes an example. It returns the text of its shape file, too.
func run(t *testing.T, shared shop, e example) (spec string, got outcome) {
	t.Helper()
	code, files, path := e.cells[0].code[0], shared.files, "/shop/1/result"
	body := func(text string) string { return "documents: {result: {path: result, body: " + text + "}}" }
	switch e.kind {
	case "request":
		spec, path = shared.spec, strings.TrimPrefix(code, "GET ")
	case "body":
		spec = merged(t, shared.spec, body(code))
	case "setting":
		spec = merged(t, merged(t, shared.spec, "sources: {"+code+"}"), body(e.cells[1].code[0]))
	case "test":
		spec = merged(t, shared.spec, body("{each: offer, where: {"+code+"}, as: id}"))
	case "dialect":
		declaration := "text?"
		if codes := e.cells[0].code; len(codes) > 1 {
			declaration = codes[1]
		}
		spec, path = table(code, declaration), ""
		files = map[string]string{"table.csv": lines(t, parse(t, code), e.cells[1])}
	case "column":
		spec, path = table("{}", code), ""
		files = map[string]string{"table.csv": "id,value\n1," + e.cells[1].code[0] + "\n"}
	}
	return spec, render(t, files, spec, path)
}

// table returns a shape file with the columns id and value.
func table(dialect, declaration string) string {
	return "collection: table\ndialect: " + dialect +
		"\nsources: {table: {file: table.csv, key: id, columns: {id: int, value: " + declaration + "}}}" +
		"\ndocuments: {value: {path: \"\", body: value}}"
}

// lines returns a file with these lines, after a header unless the dialect has none.
func lines(t *testing.T, dialect ast.Node, c cell) string {
	t.Helper()
	delimiter, header := ",", "true"
	for key, value := range entries(dialect) {
		switch key {
		case "delimiter":
			delimiter = value.(*ast.StringNode).Value
		case "header":
			header = value.String()
		}
	}
	rows := c.code
	if header == "true" {
		rows = append([]string{"id" + delimiter + "value"}, rows...)
	}
	text := strings.Join(rows, "\n")
	if !strings.HasSuffix(c.text, "without a line end") {
		text += "\n"
	}
	return escape.ReplaceAllStringFunc(text, func(s string) string {
		b, err := strconv.ParseUint(s[2:], 16, 8)
		if err != nil {
			t.Fatal(err)
		}
		return string([]byte{byte(b)})
	})
}

// render returns the documents with a path, or all of them if path is empty. A list is one value.
func render(t *testing.T, files map[string]string, spec, path string) (got outcome) {
	t.Helper()
	directory := t.TempDir()
	for name, text := range files {
		if err := os.WriteFile(filepath.Join(directory, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	options := dump.Options{
		Directory: directory, Shape: filepath.Join(t.TempDir(), "shop.yaml"), Temp: t.TempDir(), Logger: slog.New(slog.DiscardHandler),
	}
	if err := os.WriteFile(options.Shape, []byte(spec), 0o600); err != nil {
		t.Fatal(err)
	}
	d, err := dump.Open(t.Context(), options)
	if err != nil {
		return outcome{Refused: err.Error()}
	}
	defer d.Close()
	err = d.Arranged(t.Context(), func(d *dump.Dump) error {
		got = outcome{}
		list := []any{}
		rejects := &reasons{}
		err := d.Pass(t.Context(), dump.Handlers{Rejects: rejects, Document: func(of int, id sql.ID, _ uint64, body []byte) error {
			endpoint := &d.Spec().Endpoints[of]
			address := "/" + d.Spec().Collection
			if endpoint.List {
				list = append(list, decoded(t, string(body)))
				return nil
			}
			address = strings.TrimSuffix(address+"/"+id.String()+"/"+endpoint.Path, "/")
			if path == "" || path == address {
				got.Values = append(got.Values, decoded(t, string(body)))
			}
			return nil
		}})
		if path == "/"+d.Spec().Collection {
			got.Values = []any{list}
		}
		got.Rejected = rejects.found
		if errors.As(err, new(*source.FileError)) && len(got.Values) == 0 && len(rejects.found) > 0 {
			return nil // every item was rejected
		}
		return errors.Join(err, d.RefuseCutFiles())
	})
	if err != nil {
		return outcome{Refused: err.Error()}
	}
	return got
}

// reasons collects the reasons of rejects.
type reasons struct{ found []string }

func (r *reasons) Reject(reject source.Reject) error {
	r.found = append(r.found, string(reject.Reason))
	return nil
}

// decoded returns a JSON value. Numbers keep their digits.
func decoded(t *testing.T, text string) (value any) {
	t.Helper()
	decoder := json.NewDecoder(strings.NewReader(text))
	decoder.UseNumber()
	if err := decoder.Decode(&value); err != nil {
		t.Errorf("%s is no JSON: %v", text, err)
	}
	return value
}

// readShop returns the files on the page. Each is an indented block after a line with its name, such as # product.csv.
func readShop(t *testing.T, page string) shop {
	t.Helper()
	s := shop{files: map[string]string{}}
	name := ""
	for line := range strings.Lines(page) {
		code, indented := strings.CutPrefix(line, "    ")
		title, titled := strings.CutPrefix(code, "# ")
		switch {
		case !indented:
			name = ""
		case titled && regexp.MustCompile(`^[a-z0-9-]+\.(csv|yaml)\n$`).MatchString(title):
			name = strings.TrimSpace(title)
		case name == "shop.yaml":
			s.spec += code
		case name != "":
			s.files[name] += code
		}
	}
	if s.spec == "" || len(s.files) == 0 {
		t.Fatalf("%s has no shop.yaml and its files", reference)
	}
	return s
}

// merged returns a shape file with the entries of another one added. An entry of both has the value of the other one.
func merged(t *testing.T, base, other string) string {
	t.Helper()
	return flow(parse(t, base), parse(t, other))
}

// flow writes a node in one line, with the entries of other.
func flow(n, other ast.Node) string {
	_, both := other.(ast.MapNode)
	if _, ok := n.(ast.MapNode); !ok || other != nil && !both {
		if other != nil {
			n = other
		}
		if _, ok := n.(ast.MapNode); !ok {
			return n.String()
		}
		other = nil
	}
	values := map[string]ast.Node{}
	for key, value := range entries(other) {
		values[key] = value
	}
	var written []string
	for each := n.(ast.MapNode).MapRange(); each.Next(); {
		key := each.Key().GetToken().Value
		written = append(written, each.Key().String()+": "+flow(each.Value(), values[key]))
		delete(values, key)
	}
	if m, ok := other.(ast.MapNode); ok {
		for each := m.MapRange(); each.Next(); {
			if values[each.Key().GetToken().Value] != nil {
				written = append(written, each.Key().String()+": "+flow(each.Value(), nil))
			}
		}
	}
	return "{" + strings.Join(written, ", ") + "}"
}
