package shape

import (
	"bytes"
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/goccy/go-json"
	yamlast "github.com/goccy/go-yaml/ast"
	"github.com/google/go-cmp/cmp"
	"github.com/santhosh-tekuri/jsonschema/v6"

	"systemscale/etl/shapes"
)

const schemaFile = "../../shapes/schema.json"

// editorSchema compiles the schema that editors use.
func editorSchema(t *testing.T) *jsonschema.Schema {
	t.Helper()
	compiler := jsonschema.NewCompiler()
	compiler.DefaultDraft(jsonschema.Draft2020)
	schema, err := compiler.Compile(schemaFile)
	if err != nil {
		t.Fatal(err)
	}
	return schema
}

// decode returns a shape file as JSON values. Keys have their text, so that null can be one.
func decode(t *testing.T, text string) any {
	t.Helper()
	var convert func(n yamlast.Node) any
	convert = func(n yamlast.Node) any {
		switch n := n.(type) {
		case yamlast.MapNode:
			object := map[string]any{}
			for each := n.MapRange(); each.Next(); {
				object[scalarText(each.Key())] = convert(each.Value())
			}
			return object
		case *yamlast.SequenceNode:
			array := []any{}
			for _, element := range n.Values {
				array = append(array, convert(element))
			}
			return array
		case *yamlast.NullNode:
			return nil
		case *yamlast.BoolNode, *yamlast.IntegerNode, *yamlast.FloatNode:
			value, err := jsonschema.UnmarshalJSON(strings.NewReader(scalarText(n)))
			if err != nil {
				t.Fatalf("%s: %v", scalarText(n), err)
			}
			return value
		}
		return scalarText(n)
	}
	return convert((&reader{}).parse([]byte(text)))
}

// TestSchemaAcceptsShapes validates the built-in shape and every valid shape file in the tests of etl against the schema.
func TestSchemaAcceptsShapes(t *testing.T) {
	schema := editorSchema(t)
	texts := map[string]string{shapes.ProductsName: string(shapes.Products)}
	err := filepath.WalkDir("../..", func(path string, _ fs.DirEntry, err error) error {
		switch {
		case err != nil:
			return err
		case strings.HasSuffix(path, ".yaml"):
			text, err := os.ReadFile(path)
			texts[path] = string(text)
			return err
		case !strings.HasSuffix(path, "_test.go"):
			return nil
		}
		set := token.NewFileSet()
		file, err := parser.ParseFile(set, path, nil, 0)
		if err != nil {
			return err
		}
		ast.Inspect(file, func(n ast.Node) bool {
			if literal, ok := n.(*ast.BasicLit); ok && literal.Kind == token.STRING {
				if text, err := strconv.Unquote(literal.Value); err == nil && strings.Contains(text, "collection:") {
					texts[set.Position(literal.Pos()).String()] = text
				}
			}
			return true
		})
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	valid := 0
	for name, text := range texts {
		if _, err := Parse(name, []byte(text)); err != nil {
			continue // a part of a shape, or one with an error
		}
		valid++
		if err := schema.Validate(decode(t, text)); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
	if valid < 8 {
		t.Errorf("%d valid shapes in %d texts", valid, len(texts))
	}
}

// TestSchemaRejects validates shapes with one error each.
func TestSchemaRejects(t *testing.T) {
	schema := editorSchema(t)
	if err := schema.Validate(decode(t, small)); err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct{ name, old, new string }{
		{"unknown keyword", "collection: books", "collection: books\nsorces: 1"},
		{"no collection", "collection: books\n", ""},
		{"collection with capitals", "collection: books", "collection: Books"},
		{"delimiter with a quote", "collection: books", "collection: books\ndialect: {delimiter: 'a\"'}"},
		{"records by another word", "collection: books", "collection: books\ndialect: {records: many}"},
		{"records and quotes to close", "collection: books", "collection: books\ndialect: {records: quoted, close_quotes: true}"},
		{"records without quotes", "collection: books", "collection: books\ndialect: {records: quoted, quotes: false}"},
		{"quotes to close without quotes", "collection: books", "collection: books\ndialect: {close_quotes: true, quotes: false}"},
		{"short rows by another word", "collection: books", "collection: books\ndialect: {short_rows: fill}"},
		{"unknown keyword of the dialect", "collection: books", "collection: books\ndialect: {quote: x}"},
		{"no file", "    file: page.csv\n", ""},
		{"path as a file", "file: page.csv", "file: ../page.csv"},
		{"unknown type", "words: text?}", "words: string}"},
		{"parent without on", "    on: book_id\n", ""},
		{"on without parent", "    parent: book\n", ""},
		{"repair without prefix", `prefix: "- ", `, ""},
		{"filter without drop", `, drop: "-"`, ""},
		{"no address", "    path: \"\"\n", ""},
		{"two addresses", `path: ""`, "path: \"\"\n    list: true"},
		{"path of two segments", `path: ""`, "path: a/b"},
		{"path of the change feed", `path: ""`, "path: changes"},
		{"no body", "    body: {title: title, pages: {each: page, as: words}}\n", ""},
		{"each without as", "{each: page, as: words}", "{each: page}"},
		{"unknown keyword of each", "as: words}", "as: words, emty: []}"},
		{"split without at", "{title: title,", "{title: {split: title},"},
		{"split to money", "{title: title,", "{title: {split: title, at: x, as: money},"},
		{"a limit of nothing", "as: words}", "as: words, limit: 0}"},
		{"order by nothing", "as: words}", "as: words, order: []}"},
		{"one without as", "{each: page, as: words}", "{one: page}"},
		{"one with a limit", "{each: page, as: words}", "{one: page, as: words, limit: 1}"},
		{"sum of nothing", "{title: title,", "{title: {sum: price},"},
		{"round to half a digit", "{title: title,", "{title: {average: id, of: page, round: 0.5},"},
		{"where of nothing", "as: words}", "as: words, where: {}}"},
		{"empty array", "{title: title,", "{title: [],"},
		{"array of no list", "{title: title,", "{title: {array: title},"},
		{"another word for nulls", "{title: title,", "{title: {array: [title], nulls: remove},"},
		{"object beside other fields", "{title: title,", "{title: {object: {a: id}, id: id},"},
		{"join without a column", "{title: title,", "{title: {join: [{constant: a}]},"},
		{"join of a body", "{title: title,", "{title: {join: [{text: id}]},"},
		{"look-up without by", "{title: title,", "{title: {lookup: book, as: title},"},
		{"look-up without as", "{title: title,", "{title: {lookup: book, by: id},"},
		{"looked-up column without show", "words: text?}", "words: text?, name: {lookup: book, by: book_id}}"},
		{"text beside other fields", "{title: title,", "{text: title,"},
		{"empty object", "{title: title, pages: {each: page, as: words}}", "{}"},
	} {
		t.Run(c.name, func(t *testing.T) {
			text := strings.Replace(small, c.old, c.new, 1)
			if text == small {
				t.Fatalf("%q is not in the shape", c.old)
			}
			if _, err := Parse("small.yaml", []byte(text)); err == nil {
				t.Error("Parse accepts it")
			}
			if err := schema.Validate(decode(t, text)); err == nil {
				t.Error("the schema accepts it")
			}
		})
	}
}

// Keywords returns the keywords that the parser accepts, by the name of their definition in the schema. The settings of a keyword of a
// body have its name; "keyword" has those without settings, and "" has the top level.
func Keywords() map[string][]string {
	lists := map[string][]string{
		"dialect":         dialectKeywords,
		"source":          sourceKeywords,
		"repair":          repairKeywords,
		"filter":          filterKeywords,
		"test":            testKeywords,
		"column_settings": columnKeywords,
		"column_lookup":   columnLookupKeywords,
		"numbers":         numbersKeywords,
		"document":        endpointKeywords,
		"part":            {keywordConstant},
		"":                shapeKeywords,
	}
	for keyword, settings := range formKeywords {
		if len(settings) > 1 {
			lists[keyword] = settings
		} else {
			lists["keyword"] = append(lists["keyword"], keyword)
		}
	}
	return lists
}

// Types returns the names of the types.
func Types() []string {
	var names []string
	for _, kind := range types {
		names = append(names, kind.name)
	}
	return names
}

// TestKeywords finds all words of keywords.go in Keywords.
func TestKeywords(t *testing.T) {
	text, err := os.ReadFile("keywords.go")
	if err != nil {
		t.Fatal(err)
	}
	known := slices.Concat(slices.Collect(maps.Values(Keywords()))...)
	for _, match := range regexp.MustCompile(`"([a-z_]+)"`).FindAllStringSubmatch(string(text), -1) {
		if !slices.Contains(known, match[1]) {
			t.Errorf("the lists lack %s", match[1])
		}
	}
}

// TestSchemaHasTheKeywords compares the properties in the schema with the keywords that the parser accepts.
func TestSchemaHasTheKeywords(t *testing.T) {
	type node struct {
		Properties map[string]any `json:"properties"`
		Enum       []string       `json:"enum"`
	}
	var schema struct {
		node
		Definitions map[string]node `json:"$defs"`
	}
	text, err := os.ReadFile(schemaFile)
	if err != nil {
		t.Fatal(err)
	}
	if err := json.NewDecoder(bytes.NewReader(text)).Decode(&schema); err != nil {
		t.Fatal(err)
	}
	want := Keywords()
	got := map[string][]string{"": slices.Collect(maps.Keys(schema.Properties))}
	for name, definition := range schema.Definitions {
		if definition.Properties != nil {
			got[name] = slices.Collect(maps.Keys(definition.Properties))
		}
	}
	for _, keywords := range []map[string][]string{want, got} {
		for name := range keywords {
			keywords[name] = slices.Sorted(slices.Values(keywords[name]))
		}
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("keywords of the parser (-) and the schema (+):\n%s", diff)
	}
	var names []string
	for _, name := range Types() {
		names = append(names, name, name+"?")
	}
	if diff := cmp.Diff(slices.Sorted(slices.Values(names)), slices.Sorted(slices.Values(schema.Definitions["type"].Enum))); diff != "" {
		t.Errorf("types of the parser (-) and the schema (+):\n%s", diff)
	}
}
