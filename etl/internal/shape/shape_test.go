package shape

import (
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/goccy/go-json"
	"github.com/google/go-cmp/cmp"

	"systemscale/etl/shapes"
)

func TestParseBuiltIn(t *testing.T) {
	spec, err := Parse(shapes.ProductsName, shapes.Products)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(Dialect{Delimiter: ",", Null: "null", TrimSpaces: true, CloseQuotes: true}, spec.Dialect); diff != "" ||
		spec.Collection != "products" {
		t.Errorf("collection %q, dialect: want (-), got (+)\n%s", spec.Collection, diff)
	}
	var got []string
	for _, s := range spec.Sources {
		got = append(got, fmt.Sprintf("%s<%d %v", s.Name, s.Parent, s.Children))
	}
	want := "product<-1 [1 2 5], features<0 [], styles<0 [3 4], photos<2 [], skus<2 [], related<0 []"
	if strings.Join(got, ", ") != want {
		t.Errorf("sources %s, want %s", strings.Join(got, ", "), want)
	}
	got = nil
	for _, d := range spec.Published() {
		got = append(got, fmt.Sprintf("%s %q %v", d.Name, d.Path, d.List))
	}
	if want := `summary "" true, product "" false, styles "styles" false, related "related" false`; strings.Join(got, ", ") != want {
		t.Errorf("documents %s, want %s", strings.Join(got, ", "), want)
	}
}

// small is a valid shape. TestParseErrors replaces parts of it.
const small = `collection: books
sources:
  page:
    file: page.csv
    key: id
    parent: book
    on: book_id
    columns: {id: int, book_id: int, words: text?}
    repairs:
      trim: {column: words, prefix: "- ", with: ""}
    filters:
      blank: {column: words, drop: "-"}
  book:
    file: book.csv
    key: id
    columns: {id: int, title: text, price: money}
documents:
  book:
    path: ""
    body: {title: title, pages: {each: page, as: words}}
`

// keyless is a shape whose leaf has no key and whose rows may have no parent.
const keyless = `collection: books
sources:
  book: {file: book.csv, key: id, columns: {id: int}}
  page: {file: page.csv, parent: book, on: book_id, columns: {book_id: int?, words: text}}
documents:
  book: {path: "", body: {id: id, pages: {each: page, as: words}}}
`

func TestParseWithoutKey(t *testing.T) {
	spec, err := Parse("keyless.yaml", []byte(keyless))
	if err != nil {
		t.Fatal(err)
	}
	if page := spec.Sources[1]; len(page.Key) != 0 || page.Names(page.ParentKey) != "book_id" {
		t.Errorf("the key of page is %v, and that of its parent %v", page.Key, page.ParentKey)
	}
	for _, c := range []struct{ old, new, want string }{
		{"documents", "  line: {file: l.csv, key: id, parent: page, on: page, columns: {id: int, page: int}}\ndocuments", "5:40: source page has no key, so it cannot be the parent of line"},
		{"as: words", "keyed: words, as: words", "6:62: page cannot be keyed, because it has no key"},
	} {
		if _, err := Parse("keyless.yaml", []byte(strings.Replace(keyless, c.old, c.new, 1))); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("with %s: %v, want %q", c.new, err, c.want)
		}
	}
}

// TestIndicesAsJSON keeps the fingerprints of shapes whose keys have one column.
func TestIndicesAsJSON(t *testing.T) {
	for want, indices := range map[string]Indices{"-1": nil, "3": {3}, "[3,0]": {3, 0}} {
		if got, err := json.Marshal(struct{ Key Indices }{indices}); err != nil || string(got) != `{"Key":`+want+`}` {
			t.Errorf("%v is %s in JSON (%v), want %s", indices, got, err, want)
		}
	}
}

func TestParsePutsParentsFirst(t *testing.T) {
	spec, err := Parse("small.yaml", []byte(small))
	if err != nil {
		t.Fatal(err)
	}
	if spec.Sources[0].Name != "book" || spec.Sources[1].Name != "page" || spec.Sources[1].Parent != 0 {
		t.Errorf("sources are %+v", spec.Sources)
	}
	f, r := spec.Sources[1].Filters[0], spec.Sources[1].Repairs[0]
	if f != (Filter{Name: "blank", Column: 2, Drop: "-"}) || r != (Repair{"trim", 2, "- ", ""}) {
		t.Errorf("filter %+v, repair %+v", f, r)
	}
}

func TestParseRepairOfAnyType(t *testing.T) {
	for column, index := range map[string]int{"id": 0, "title": 1, "price": 2} {
		text := strings.Replace(small, "columns: {id: int, title: text, price: money}",
			"columns: {id: int, title: text, price: money}\n"+
				"    repairs: {label: {column: "+column+", prefix: '\"price\":', with: \"\"}}", 1)
		spec, err := Parse("small.yaml", []byte(text))
		if err != nil {
			t.Fatal(err)
		}
		if got, want := spec.Sources[0].Repairs[0], (Repair{"label", index, `"price":`, ""}); got != want {
			t.Errorf("repair %+v, want %+v", got, want)
		}
	}
}

// TestPositions finds every file and column of the built-in shape at its position.
func TestPositions(t *testing.T) {
	spec, err := Parse(shapes.ProductsName, shapes.Products)
	if err != nil {
		t.Fatal(err)
	}
	lines := strings.Split(string(shapes.Products), "\n")
	check := func(what string, at Position) {
		t.Helper()
		if at.Line < 1 || at.Line > len(lines) ||
			!strings.HasPrefix(lines[at.Line-1][min(max(at.Column-1, 0), len(lines[at.Line-1])):], what) {
			t.Errorf("%s is not at %+v", what, at)
		}
	}
	for _, s := range spec.Sources {
		check(s.File, s.FileAt)
		for _, c := range s.Columns {
			check(c.Name+":", c.At)
		}
	}
}

func TestParseBody(t *testing.T) {
	object := func(name string, body Node) Node { return Object{[]Member{{name, body}}} }
	id, title := Value{Column: 0}, Value{Column: 1}
	cases := []struct {
		name, body string
		want       Node
	}{
		{"object with a field text", `{object: {text: title}}`, object("text", title)},
		{"cast to text", `{id: {text: id}}`, object("id", Value{Column: 0, Text: true})},
		{"array at the top", `{each: page, as: id}`, Each{Source: 1, Keyed: -1, As: id, Empty: "[]"}},
		{"keyed", `{each: page, keyed: id, as: id}`, Each{Source: 1, Keyed: 0, As: id, Empty: "{}"}},
		{
			"empty", `{each: page, as: id, empty: [{b: null, a: [1, "x", true, 1.5]}]}`,
			Each{Source: 1, Keyed: -1, As: id, Empty: `[{"b":null,"a":[1,"x",true,1.5]}]`},
		},
		{"constant", `{constant: {b: null, a: [1.50, "x"]}}`, Constant{`{"b":null,"a":[1.50,"x"]}`}},
		{"constant null", `{constant: null}`, Constant{"null"}},
		{
			"numbers beyond 64 bits", `{constant: [12345678901234567890123, -1e400, "1e400", 1-2]}`,
			Constant{`[12345678901234567890123,-1e400,"1e400","1-2"]`},
		},
		{"array", `[id, {text: id}, {constant: 1}]`, Array{Elements: []Node{id, Value{0, true}, Constant{"1"}}}},
		{"array without nulls", `{array: [id], nulls: drop}`, Array{[]Node{id}, true}},
		{"array in an object with a field array", `{object: {array: [id]}}`, object("array", Array{Elements: []Node{id}})},
		{"join", `{join: [title, {constant: "-"}, id], with: " "}`, Join{[]Part{{1, ""}, {-1, "-"}, {0, ""}}, " "}},
		{"split", `{split: title, at: "|"}`, Split{1, "|", false}},
		{"split to ints", `{split: title, at: ", ", as: int}`, Split{1, ", ", true}},
		{"limit", `{each: page, as: id, limit: 3}`, Each{Source: 1, Keyed: -1, As: id, Empty: "[]", Limit: 3}},
		{"keyed after as", `{each: page, as: {w: words}, keyed: id}`, Each{Source: 1, Keyed: 0, As: object("w", Value{Column: 2}), Empty: "{}"}},
		{
			"order", `{each: page, as: id, order: [words desc, id]}`,
			Each{Source: 1, Keyed: -1, As: id, Empty: "[]", Selection: Selection{Order: []Sort{{2, true}, {0, false}}}},
		},
		{"one", `{one: page, as: id}`, One{Source: 1, As: id, Empty: "null"}},
		{
			"one in an order", `{one: page, as: id, order: words, empty: 0}`,
			One{Source: 1, As: id, Empty: "0", Selection: Selection{Order: []Sort{{2, false}}}},
		},
		{"count", `{count: page}`, Aggregate{Operation: Count, Path: []int{1}, Column: -1, Decimals: -1}},
		{"sum", `{sum: id, of: page}`, Aggregate{Operation: Sum, Path: []int{1}, Column: 0, Decimals: -1}},
		{"average", `{average: id, of: page}`, Aggregate{Operation: Average, Path: []int{1}, Column: 0, Decimals: 2}},
		{
			"average as text", `{text: {average: id, of: page, round: 1}}`,
			Aggregate{Operation: Average, Path: []int{1}, Column: 0, Decimals: 1, Text: true},
		},
		{
			"counts with a test", `{counts: words, of: page, where: {id: 7}}`,
			Aggregate{
				Operation: Counts, Path: []int{1}, Column: 2, Decimals: -1,
				Where: []Where{{Column: 0, Test: &Test{[]Term{{Operator: Is, Values: []string{"7"}}}}}},
			},
		},
		{
			"each with a test", `{each: page, as: id, where: {words: null}}`,
			Each{Source: 1, Keyed: -1, As: id, Empty: "[]", Selection: Selection{Where: []Where{{2, &Test{[]Term{{Operator: Is, Null: true}}}}}}},
		},
		{"fields min and max", `{min: {min: id, of: page}, max: id}`, Object{[]Member{
			{"min", Aggregate{Operation: Min, Path: []int{1}, Column: 0, Decimals: -1}}, {"max", id},
		}}},
		{"field with the name of a keyword", `{object: {one: id}}`, object("one", id)},
		{"fields with the names of keywords", `{one: id, constant: id, x: id}`, Object{[]Member{{"one", id}, {"constant", id}, {"x", id}}}},
		{"field with the name of its keyword", `{one: {one: page, as: id}}`, object("one", One{Source: 1, As: id, Empty: "null"})},
		{"field with a question mark", `{"default?": title}`, object("default?", title)},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			text := strings.Replace(small, "{title: title, pages: {each: page, as: words}}", c.body, 1)
			spec, err := Parse("small.yaml", []byte(text))
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(c.want, spec.Endpoints[0].Body); diff != "" {
				t.Errorf("%s: body (-want +got):\n%s", c.body, diff)
			}
		})
	}
}

// TestParseDialects overrides the dialect of the shape for a source.
func TestParseDialects(t *testing.T) {
	text := strings.Replace(small, "sources:", "dialect: {null: x, final_newline: optional}\nsources:", 1)
	text = strings.Replace(text, "file: page.csv\n", "file: page.csv\n    dialect: {delimiter: '+|', quotes: false, header: false, short_rows: \"null\", null: [\"\", x], final_newline: required}\n", 1)
	spec, err := Parse("small.yaml", []byte(text))
	if err != nil {
		t.Fatal(err)
	}
	book, page := &spec.Sources[0], &spec.Sources[1]
	if got, want := *spec.DialectOf(book), (Dialect{Delimiter: ",", Null: "x"}); !cmp.Equal(got, want) || !book.OpenEnd {
		t.Errorf("dialect of book %+v (open end %v), want %+v", got, book.OpenEnd, want)
	}
	if got, want := *spec.DialectOf(page), (Dialect{
		Delimiter: "+|", Nulls: []string{"", "x"}, NoQuotes: true, NoHeader: true, ShortRows: true,
	}); !cmp.Equal(got, want) || page.OpenEnd {
		t.Errorf("dialect of page %+v (open end %v), want %+v", got, page.OpenEnd, want)
	}
	for delimiter, want := range map[Delimiter]string{",": "44", "+|": `"+|"`, "\"\x01": `"\"\u0001"`} {
		if got, err := json.Marshal(delimiter); err != nil || string(got) != want {
			t.Errorf("JSON of %q is %s (%v), want %s", delimiter, got, err, want)
		}
	}
}

func TestParseErrors(t *testing.T) {
	cases := []struct{ name, old, new, want string }{
		{"no YAML", "collection: books", "collection: [books", "small.yaml:"},
		{"nothing", small, "", "small.yaml:1:1: a shape file is one YAML document"},
		{"a list", small, "- a\n- b\n", "small.yaml:1:1: a shape file must be a mapping"},
		{
			"an unknown setting", "collection: books", "collection: books\nsorces: 1",
			`small.yaml:2:1: a shape file has no setting "sorces"; it has collection, dialect, sources, documents`,
		},
		{"no collection", "collection: books\n", "", "small.yaml:1:1: collection is missing"},
		{"a collection with capitals", "collection: books", "collection: Books", `small.yaml:1:13: "Books" cannot name a collection`},
		{
			"a collection named as a prefix", "collection: books", "collection: api",
			"small.yaml:1:13: api cannot name a collection: /api is reserved for the prefix /api/ of every address; " +
				"choose another name, such as api_list",
		},
		{
			"a collection named as the other prefix", "collection: books", "collection: fec2",
			"small.yaml:1:13: fec2 cannot name a collection: /fec2 is reserved",
		},
		{
			"a collection named as the product pages", "collection: books", "collection: item",
			"small.yaml:1:13: item cannot name a collection: /item is reserved for the storefront's product pages",
		},
		{
			"a collection named as the files", "collection: books", "collection: assets",
			"small.yaml:1:13: assets cannot name a collection: /assets is reserved",
		},
		{
			"a collection named as the documentation", "collection: books", "collection: \"docs\"",
			"small.yaml:1:13: docs cannot name a collection: /docs is reserved",
		},
		{
			"a collection named as a health check", "collection: books", "collection: live",
			"small.yaml:1:13: live cannot name a collection: /live is reserved for a health check",
		},
		{
			"a collection named as the change feed", "collection: books", "collection: changes",
			"small.yaml:1:13: changes cannot name a collection",
		},
		{
			"a collection named as the gateway's own", "collection: books", "collection: \"-\"",
			`small.yaml:1:13: "-" cannot name a collection`,
		},
		{
			"a collection named as the description", "collection: books", "collection: openapi.yaml",
			`small.yaml:1:13: "openapi.yaml" cannot name a collection`,
		},
		{
			"a collection with a percent sign", "collection: books", "collection: \"%61pi\"",
			`small.yaml:1:13: "%61pi" cannot name a collection`,
		},
		{
			"a document at the change feed", `path: ""`, "path: changes",
			`small.yaml:19:11: path "changes" is reserved for the change feed; choose another path`,
		},
		{"a long collection", "collection: books", "collection: a23456789012345678901", "up to 20 lower-case letters"},
		{
			"a delimiter of nothing", "collection: books", "collection: books\ndialect: {delimiter: \"\"}",
			`small.yaml:2:22: delimiter must be one byte or more, such as ";" or "+|"`,
		},
		{
			"a delimiter with a quote", "collection: books", "collection: books\ndialect: {delimiter: 'a\"'}",
			`small.yaml:2:11: delimiter must not contain a quote, except with quotes: false: "a\""`,
		},
		{
			"a delimiter with a line end", "collection: books", "collection: books\ndialect: {delimiter: \"\\n\"}",
			`small.yaml:2:22: delimiter must not contain a line end: "\n"`,
		},
		{
			"short rows that are null itself", "collection: books", "collection: books\ndialect: {short_rows: null}",
			`small.yaml:2:23: short_rows must be "null", in quotes, or reject`,
		},
		{
			"another word for short rows", "collection: books", "collection: books\ndialect: {short_rows: fill}",
			`small.yaml:2:23: short_rows must be "null", in quotes, or reject`,
		},
		{
			"quotes to close and none", "collection: books", "collection: books\ndialect: {close_quotes: true, quotes: false}",
			"small.yaml:2:11: close_quotes has no meaning with quotes: false",
		},
		{
			"quotes to close and records of several lines", "collection: books", "collection: books\ndialect: {close_quotes: true, records: quoted}",
			"small.yaml:2:11: with records: quoted, a quote that is open at the end of a line cannot be closed there",
		},
		{
			"records of several lines without quotes", "collection: books", "collection: books\ndialect: {quotes: false, records: quoted}",
			"small.yaml:2:11: records: quoted has no meaning with quotes: false",
		},
		{
			"another word for records", "collection: books", "collection: books\ndialect: {records: many}",
			"small.yaml:2:20: records must be lines, or quoted",
		},
		{"a header by name", "collection: books", "collection: books\ndialect: {header: none}", "small.yaml:2:19: header must be true or false"},
		{
			"a long delimiter that is trimmed", "collection: books", "collection: books\ndialect: {delimiter: \" |\", trim_spaces: true}",
			"small.yaml:2:11: with trim_spaces, a delimiter of several bytes cannot begin with a space or a tab",
		},
		{
			"a long delimiter of one source that is trimmed", "file: page.csv\n", "file: page.csv\n    dialect: {delimiter: \" |\", trim_spaces: true}\n",
			"small.yaml:5:15: with trim_spaces, a delimiter",
		},
		{
			"an unknown setting of a source's dialect", "file: page.csv\n", "file: page.csv\n    dialect: {quote: x}\n",
			`small.yaml:5:15: dialect has no setting "quote"`,
		},
		{
			"a dialect's word for yes", "collection: books", "collection: books\ndialect: {trim_spaces: perhaps}",
			"small.yaml:2:24: trim_spaces must be true or false",
		},
		{"null without quotes", "collection: books", "collection: books\ndialect: {null: [\"\", NULL]}", "small.yaml:2:22: null is a value of YAML"},
		{
			"an unknown encoding", "collection: books", "collection: books\ndialect: {encoding: utf-16}",
			`small.yaml:2:21: "utf-16" is no encoding; the encodings are utf-8, latin1, windows-1252, utf-16le, utf-16be`,
		},
		{"a line end as null", "collection: books", "collection: books\ndialect: {null: \"a\\n\"}", `no field can be "a\n"`},
		{"a column with an unknown setting", "words: text?}", "words: {type: text?, nul: x}}", `column words has no setting "nul"; it has type, null`},
		{"a column with settings and no type", "words: text?}", "words: {null: x}}", "small.yaml:8:38: column words of page has no type"},
		{"a setting twice", "collection: books", "collection: books\ncollection: books", "small.yaml:2:1"},

		{"no file", "    file: page.csv\n", "", "small.yaml:3:3: source page has no file"},
		{"a path for a file", "file: page.csv", "file: ../page.csv", `small.yaml:4:11: file "../page.csv" must be a plain name`},
		{"the standard input beside a file", "file: page.csv", `file: "-"`, "small.yaml:4:11: file - is the standard input, which holds one file"},
		{"a pattern without end", "file: page.csv", "file: \"page-[0-9.csv\"", `small.yaml:4:11: file "page-[0-9.csv" is no pattern`},
		{"no key in the root", "    key: id\n    columns: {id: int, title", "    columns: {id: int, title", "small.yaml:13:3: source book has no key"},
		{
			"a key that is no column", "key: id\n    parent", "key: ident\n    parent",
			`small.yaml:5:10: page has no column "ident"; it has id, book_id, words`,
		},
		{
			"a key of money", "key: id\n    columns: {id: int, title", "key: price\n    columns: {id: int, title",
			"small.yaml:15:10: column price of book is a key, so its type must be int or text",
		},
		{"another word for rows", "    key: id\n    parent", "    rows: join\n    key: id\n    parent", `small.yaml:5:11: rows must be merge, not "join"`},
		{"rows to merge without a key", "    key: id\n    parent", "    rows: merge\n    parent", "small.yaml:3:3: source page merges rows and has no key"},
		{"no columns", "    columns: {id: int, book_id: int, words: text?}\n", "", "small.yaml:3:3: source page has no columns"},
		{"an unknown type", "words: text?}", "words: string}", `small.yaml:8:45: column words of page has an unknown type "string"`},
		{"an unknown parent", "parent: book", "parent: shelf", `small.yaml:6:13: source page has an unknown parent "shelf"`},
		{"a parent and no on", "    on: book_id\n", "", "small.yaml:3:3: source page has a parent and no on"},
		{"on and no parent", "    parent: book\n", "", "small.yaml:3:3: source page has on and no parent"},
		{"two roots", "    parent: book\n    on: book_id\n", "", "small.yaml:11:3: sources page and book both have no parent"},
		{
			"a circle", "    columns: {id: int, title: text, price: money}\n",
			"    parent: page\n    on: id\n    columns: {id: int, title: text, price: money}\n",
			"small.yaml:3:3: every source has a parent",
		},
		{
			"a circle beside the root", "  book:\n    file",
			"  a: {file: a.csv, key: id, parent: b, on: id, columns: {id: int}}\n" +
				"  b: {file: b.csv, key: id, parent: a, on: id, columns: {id: int}}\n  book:\n    file",
			"small.yaml:13:3: source a is its own ancestor",
		},
		{"a repair of an unknown column", "trim: {column: words", "trim: {column: word", `page has no column "word"`},
		{"a repair of nothing", `prefix: "- ", `, "", "repair trim needs a column, a prefix"},
		{"a filter for nothing", `, drop: "-"`, "", "filter blank needs a column and the values to drop or to keep"},

		{
			"no documents", "documents:\n  book:\n    path: \"\"\n    body: {title: title, pages: {each: page, as: words}}\n", "",
			"small.yaml:1:1: documents is missing",
		},
		{"a document with a dash", "documents:\n  book:", "documents:\n  the-book:", `small.yaml:18:3: "the-book" cannot name a document`},
		{"a document without an address", "    path: \"\"\n", "", "small.yaml:18:3: document book needs one address"},
		{"a document with two", `path: ""`, "path: \"\"\n    list: true", "document book needs one address"},
		{"a path of two segments", `path: ""`, "path: a/b", `small.yaml:19:11: path "a/b" must be`},
		{
			"a document without a body", "    body: {title: title, pages: {each: page, as: words}}\n", "",
			"small.yaml:18:3: document book has no body",
		},
		{
			"two with one path", "documents:", "documents:\n  other: {path: \"\", body: {a: id}}",
			`small.yaml:19:3: documents other and book have the same path ""`,
		},
		{
			"two lists", "documents:\n  book:\n    path: \"\"",
			"documents:\n  other: {list: true, body: {a: id}}\n  book:\n    list: true",
			"small.yaml:19:3: documents other and book both have list: true",
		},

		{
			"an unknown column", "{title: title,", "{title: titel,",
			`small.yaml:20:19: book has no column "titel"; it has id, title, price`,
		},
		{"a column of the parent", "as: words", "as: title", `page has no column "title"`},
		{"an unknown child", "each: page", "each: pages", `small.yaml:20:40: book has no child source "pages"; it has page`},
		{"a child of a leaf", "as: words", "as: {each: page, as: id}", `page has no child source "page"; it has no children`},
		{"each without as", "{each: page, as: words}", "{each: page}", "each page has no as"},
		{"a word of each misspelled", "as: words}", "as: words, emty: []}", `each has no setting "emty"; it has each, as, keyed, where, order, limit, empty`},
		{"keyed by a column with duplicates", "as: words}", "as: words, keyed: words}", "page can only be keyed by id: other columns may contain duplicates. If words is unique among the rows of one parent, make it a part of the key, such as key: ["},
		{"an empty array", "{title: title,", "{title: [],", "small.yaml:20:19: an array in a body needs at least one element"},
		{"an array of an unknown column", "{title: title,", "{title: [id, titel],", `book has no column "titel"`},
		{"array of no list", "{title: title,", "{title: {array: title},", "array must be a list of bodies"},
		{"array without a word", "{title: title,", "{title: {array: [title], nulls: remove},", "nulls must be keep or drop"},
		{"a setting of array misspelled", "{title: title,", "{title: {array: [title], nuls: drop},", `array has no setting "nuls"`},
		{"a constant beside a field", "{title: title,", "{title: {constant: 1, id: id},", "constant is a keyword of a body"},
		{"a constant with NUL", "{title: title,", `{title: {constant: "\0"},`, "PostgreSQL cannot store a NUL"},
		{"a constant that is no JSON", "{title: title,", "{title: {constant: .5},", "not a JSON value"},
		{"a constant that PostgreSQL cannot store", "{title: title,", "{title: {constant: 1e999999},", "PostgreSQL cannot store this number"},
		{"join of no list", "{title: title,", "{title: {join: title},", "join must be a list of columns"},
		{"join without a column", "{title: title,", "{title: {join: [{constant: a}]},", "join needs at least one column"},
		{"join of a body", "{title: title,", "{title: {join: [{text: id}]},", `an element of join has no setting "text"; it has constant`},
		{"join of nothing", "{title: title,", "{title: {join: [{}]},", "an element of join must be a column or {constant: text}"},
		{"split of a number", "{title: title,", "{title: {split: price, at: x},", "column price of book is not a text, so it cannot be split"},
		{"split without at", "{title: title,", "{title: {split: title},", "split needs a column and the text between"},
		{"split at nothing", "{title: title,", `{title: {split: title, at: ""},`, "at must be the text between the elements"},
		{"split to money", "{title: title,", "{title: {split: title, at: x, as: money},", `are text or int, not "money"`},
		{"a limit of nothing", "as: words}", "as: words, limit: 0}", "limit must be a whole number from 1 to"},
		{"a limit in words", "as: words}", "as: words, limit: two}", "small.yaml:20:64: limit must be a whole number from 1 to"},
		{"order by nothing", "as: words}", "as: words, order: []}", "order needs at least one column"},
		{"order by an unknown column", "as: words}", "as: words, order: [size desc]}", `page has no column "size"; it has id, book_id, words. Desc`},
		{"order by a column twice", "as: words}", "as: words, order: [id, id desc]}", "order has column id twice"},
		{"order of an object", "as: words}", "as: words, keyed: id, order: id}", "order has no effect beside keyed"},
		{"one without as", "{each: page, as: words}", "{one: page}", "one page has no as"},
		{"one of an unknown source", "{each: page, as: words}", "{one: pages, as: words}", `book has no child source "pages"`},
		{"one with a limit", "{each: page, as: words}", "{one: page, as: words, limit: 1}", `one has no setting "limit"; it has one, as`},
		{
			"a look-up as a child", "on: book_id", "on: id",
			"small.yaml:3:3: source page is joined on its own key id, so each row of book gets at most the one row of page with the same " +
				"key. If that is meant, add one_to_one: true. If rows of book refer to page by another column, page is a look-up",
		},
		{
			"each of one to one", "on: book_id", "on: id\n    one_to_one: true",
			"page has at most one row per book (one_to_one): write {one: page, as: ...} instead of each",
		},
		{"one to one of another column", "on: book_id", "on: book_id\n    one_to_one: true", "set key to the column of on"},
		{"one to one without a parent", "file: book.csv", "file: book.csv\n    one_to_one: true", "one_to_one and no parent"},
		{"count of a column", "{title: title,", "{title: {count: price},", `book has no child source "price"; it has page`},
		{"count below a leaf", "{title: title,", "{title: {count: page.line},", `page has no child source "line"; it has no children`},
		{"sum of nothing", "{title: title,", "{title: {sum: price},", "sum needs the child source whose rows it is of, such as {sum: column, of: page}"},
		{"sum of a text", "{title: title,", "{title: {sum: words, of: page},", "sum needs a column of numbers, and words has the type text"},
		{"sum of a column above", "{title: title,", "{title: {sum: price, of: page},", `page has no column "price"; it has id, book_id, words`},
		{"round of ints", "{title: title,", "{title: {sum: id, of: page, round: 1},", "round has no effect on the sum of a column of type int"},
		{"round to half a digit", "{title: title,", "{title: {average: id, of: page, round: 0.5},", "round must be a whole number from 0 to 15"},
		{"an aggregate's setting misspelled", "{title: title,", "{title: {sum: words, off: page},", `sum has no setting "off"; it has sum, of, where`},
		{"text of an object", "{title: title,", "{title: {text: {a: id}},", "text is a cast of a column or of an aggregate"},
		{"where of nothing", "as: words}", "as: words, where: {}}", "where needs at least one column and its test"},
		{"where of an unknown column", "as: words}", "as: words, where: {word: x}}", `page has no column "word"; it has id, book_id, words`},
		{"where that never holds", "as: words}", "as: words, where: {id: x}}", "where can never match: column id has the type int"},
		{"text beside other fields", "{title: title,", "{text: title,", "text is a keyword of a body: write an object with a field"},
		{"an empty object", "{title: title, pages: {each: page, as: words}}", "{}", "needs at least one field"},
		{"a field twice", "{title: title,", "{title: title, title: title,", "small.yaml:20"},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			text := strings.Replace(small, c.old, c.new, 1)
			if text == small {
				t.Fatalf("the case changes nothing: %q is not in the shape", c.old)
			}
			spec, err := Parse("small.yaml", []byte(text))
			if _, ok := errors.AsType[*Error](err); !ok || !strings.Contains(err.Error(), c.want) {
				t.Errorf("Parse = %v, %v; want an Error with %q", spec, err, c.want)
			}
		})
	}
}

// TestNullWords parses the null words of a dialect and of columns of every kind.
func TestNullWords(t *testing.T) {
	for _, c := range []struct{ dialect, column, want string }{
		{`{}`, `text?`, `[]`},
		{`{null: none}`, `text?`, `["none"]`},
		{`{null: none}`, `text`, `["none"]`},
		{`{null: ""}`, `text?`, `[""]`},
		{`{null: ""}`, `text`, `[]`},
		{`{null: ""}`, `int`, `[""]`},
		{`{null: ["", '\N', 0, '\N']}`, `text?`, `["" "\\N" "0"]`},
		{`{null: ["", '\N']}`, `text`, `["\\N"]`},
		{`{null: [none]}`, `{type: text?, null: ["-", n/a]}`, `["-" "n/a"]`},
		{`{null: [none]}`, `{type: text, null: []}`, `[]`},
		{`{null: [none]}`, `{type: text, null: [""]}`, `[""]`},
		{`{null: [none]}`, `{type: text?}`, `["none"]`},
	} {
		text := strings.Replace(small, "collection: books", "collection: books\ndialect: "+c.dialect, 1)
		text = strings.NewReplacer("words: text?}", "words: "+c.column+"}", `drop: "-"`, "drop: 1").Replace(text)
		spec, err := Parse("small.yaml", []byte(text))
		if err != nil {
			t.Errorf("%s, %s: %v", c.dialect, c.column, err)
			continue
		}
		if got := fmt.Sprintf("%q", spec.Dialect.NullWords(&spec.Sources[1].Columns[2])); got != c.want {
			t.Errorf("dialect %s, column %s: null words %s, want %s", c.dialect, c.column, got, c.want)
		}
	}
}

// TestJSONHasNoOrder uses a column of JSON where a text or an order is needed.
func TestJSONHasNoOrder(t *testing.T) {
	text := strings.Replace(small, "words: text?}", "words: text?, tags: json?}", 1)
	for body, want := range map[string]string{
		"{each: page, as: {join: [words, tags]}}": "column tags has the type json, so it cannot be a part of a text",
		"{min: tags, of: page}":                   "min needs a column with an order, and tags has the type json",
		"{each: page, as: id, order: tags}":       "column tags of page is JSON, which has no order",
		"{counts: tags, of: page}":                "counts needs a column of type int, text or flag",
	} {
		_, err := Parse("small.yaml", []byte(strings.Replace(text, "{title: title, pages: {each: page, as: words}}", body, 1)))
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: Parse = %v, want an error with %q", body, err, want)
		}
	}
}

func FuzzParse(f *testing.F) {
	f.Add([]byte(small))
	f.Add(shapes.Products)
	const body = "{title: title, pages: {each: page, as: words}}"
	for _, other := range []string{
		`[{constant: {a: 1}}, {array: [id], nulls: drop}, {join: [title, {constant: x}], with: " "}, {split: title, at: x, as: int}]`,
		"{one: page, as: words, where: {id: {above: 1}}, order: [id desc], empty: 1}",
		"{a: {text: {average: id, of: page, round: 1}}, b: {counts: words, of: page, where: {words: [a, null]}}, count: {count: page}}",
	} {
		f.Add([]byte(strings.Replace(small, body, other, 1)))
	}
	f.Add([]byte("a: &a [*a]"))
	f.Add([]byte("? [a]\n: b"))
	f.Fuzz(func(t *testing.T, text []byte) {
		// Parse returns either a shape or an error for any text, and recovers only its own panics.
		if spec, err := Parse("fuzz.yaml", text); (spec == nil) == (err == nil) {
			t.Errorf("Parse = %v, %v", spec, err)
		}
	})
}

// TestJSONKeepsItsFieldNames pins the JSON of a shape. Each run stores its hash, so another JSON would look like another shape.
func TestJSONKeepsItsFieldNames(t *testing.T) {
	spec, err := Parse("things.yaml", []byte(`
collection: things
dialect: {null: "null"}
sources:
  thing: {file: thing.csv, key: id, columns: {id: int, name: text?}}
  part: {file: part.csv, key: id, parent: thing, on: thing, columns: {id: int, thing: int}}
documents:
  thing: {path: "", body: {id: {text: id}, name: name, parts: {each: part, keyed: id, as: id}}}
`))
	if err != nil {
		t.Fatal(err)
	}
	got, err := json.Marshal(spec)
	if err != nil {
		t.Fatal(err)
	}
	const want = `{"Name":"things.yaml","Collection":"things",` +
		`"Dialect":{"Delimiter":44,"Null":"null","TrimSpaces":false,"CloseQuotes":false},` +
		`"Sources":[{"Name":"thing","File":"thing.csv",` +
		`"Columns":[{"Name":"id","Type":0,"Nullable":false},{"Name":"name","Type":2,"Nullable":true}],` +
		`"Key":0,"Parent":-1,"On":-1,"Children":[1],"Repairs":null,"Filters":null,"Rendered":[0,1]},` +
		`{"Name":"part","File":"part.csv","Columns":[{"Name":"id","Type":0,"Nullable":false},{"Name":"thing","Type":0,"Nullable":false}],` +
		`"Key":0,"Parent":0,"On":1,"Children":null,"Repairs":null,"Filters":null,"Rendered":[0]}],` +
		`"Documents":[{"Name":"thing","Path":"","List":false,"Body":{"Fields":[{"Name":"id","Body":{"Column":0,"Text":true}},` +
		`{"Name":"name","Body":{"Column":1,"Text":false}},` +
		`{"Name":"parts","Body":{"Source":1,"Keyed":0,"As":{"Column":0,"Text":false},"Empty":"{}"}}]}}]}`
	if string(got) != want {
		t.Errorf("JSON\n%s, want\n%s", got, want)
	}
}
