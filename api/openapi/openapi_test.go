package openapi

import (
	"bytes"
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"

	"github.com/goccy/go-yaml"
)

// parse reads a description, whose references and operation ids must be sound.
func parse(t *testing.T, description []byte) map[string]any {
	t.Helper()
	var document map[string]any
	if err := yaml.Unmarshal(description, &document); err != nil {
		t.Fatal(err)
	}
	ids := map[string]bool{}
	var check func(node any)
	check = func(node any) {
		switch node := node.(type) {
		case map[string]any:
			if reference, is := node["$ref"].(string); is && !resolves(document, reference) {
				t.Errorf("%s leads nowhere", reference)
			}
			if id, is := node["operationId"].(string); is {
				if ids[id] {
					t.Errorf("operation %s is there twice", id)
				}
				ids[id] = true
			}
			for _, child := range node {
				check(child)
			}
		case []any:
			for _, child := range node {
				check(child)
			}
		}
	}
	check(document)
	return document
}

func resolves(document map[string]any, reference string) bool {
	var node any = document
	for _, name := range strings.Split(reference, "/")[1:] {
		parent, is := node.(map[string]any)
		if !is {
			return false
		}
		node = parent[name]
	}
	return node != nil
}

func pathsOf(document map[string]any) []string {
	return slices.Sorted(maps.Keys(document["paths"].(map[string]any)))
}

func TestDescription(t *testing.T) {
	document := parse(t, YAML)
	if document["openapi"] != "3.1.0" {
		t.Errorf("version %v", document["openapi"])
	}
	want := []string{
		"/", "/assets/{file}", "/docs", "/docs/assets/{file}", "/docs/licenses.md", "/item/{product_id}", "/openapi.yaml",
		"/products", "/products/changes", "/products/{product_id}", "/products/{product_id}/related", "/products/{product_id}/styles",
	}
	if got := pathsOf(document); !slices.Equal(got, want) {
		t.Errorf("got  %v\nwant %v", got, want)
	}
}

func TestDescribe(t *testing.T) {
	products := Collection{Name: "products", Endpoints: []Endpoint{{List: true}, {}, {Path: "styles"}, {Path: "related"}}}
	if got := Describe(products); !bytes.Equal(got, YAML) {
		t.Error("the built-in catalog is described twice")
	}
	document := parse(t, Describe(
		Collection{Name: "reviews", Endpoints: []Endpoint{
			{List: true, Schema: `{"type":["object"],"properties":{"price":{"type":["string","null"],"pattern":"^-?[0-9]+\\.[0-9]{2}$"}},"required":["price"]}`}, {}, {Path: "photos"},
		}},
		products,
		Collection{Name: "q_1", Endpoints: []Endpoint{{Path: "answers"}}},
		Collection{Name: "slugs", IDParts: 1, Endpoints: []Endpoint{{}}},
		Collection{Name: "teams", IDParts: 2, Endpoints: []Endpoint{{Path: "games"}}},
	))
	want := append(pathsOf(parse(t, YAML)), "/reviews", "/reviews/{id}", "/reviews/{id}/photos", "/reviews/changes", "/q_1/{id}/answers", "/q_1/changes",
		"/slugs/{id}", "/slugs/changes", "/teams/{part1}/{part2}/games", "/teams/changes")
	slices.Sort(want)
	if got := pathsOf(document); !slices.Equal(got, want) {
		t.Errorf("got  %v\nwant %v", got, want)
	}
	for _, path := range want {
		operation := document["paths"].(map[string]any)[path].(map[string]any)["get"].(map[string]any)
		if responses, _ := operation["responses"].(map[string]any); responses["200"] == nil || responses["405"] == nil || responses["default"] == nil {
			t.Errorf("%s answers %v", path, responses)
		}
	}
	parametersOf := func(path string) (names []string) {
		node := document["paths"].(map[string]any)[path].(map[string]any)["get"].(map[string]any)["parameters"]
		for _, parameter := range node.([]any) {
			if name, inPlace := parameter.(map[string]any)["name"].(string); inPlace {
				names = append(names, name+" "+fmt.Sprint(parameter.(map[string]any)["schema"]))
			}
		}
		return names
	}
	for path, want := range map[string][]string{
		"/reviews/{id}":                {"id map[$ref:#/components/schemas/ID]"},
		"/slugs/{id}":                  {"id map[$ref:#/components/schemas/TextID]"},
		"/teams/{part1}/{part2}/games": {"part1 map[$ref:#/components/schemas/IDPart]", "part2 map[$ref:#/components/schemas/IDPart]"},
	} {
		if got := parametersOf(path); !slices.Equal(got, want) {
			t.Errorf("the parameters of %s are %q, want %q", path, got, want)
		}
	}
	schemaAt := func(path string) any {
		node := document["paths"].(map[string]any)[path]
		for _, name := range []string{"get", "responses", "200", "content", "application/json", "schema"} {
			node = node.(map[string]any)[name]
		}
		return node
	}
	price := schemaAt("/reviews").(map[string]any)["items"].(map[string]any)["properties"].(map[string]any)["price"].(map[string]any)
	if price["pattern"] != `^-?[0-9]+\.[0-9]{2}$` || schemaAt("/reviews/{id}") != any(true) {
		t.Errorf("the schemas are %v and %v", price, schemaAt("/reviews/{id}"))
	}
	if !bytes.Contains(YAML, []byte("\n\ncomponents:\n")) || bytes.Contains(YAML, []byte("reviews")) {
		t.Error("the description itself was changed")
	}
}
