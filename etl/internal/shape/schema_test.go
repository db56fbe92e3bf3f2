package shape

import (
	"strings"
	"testing"

	"github.com/goccy/go-json"
)

const schemaShape = `
collection: things
sources:
  thing: {file: thing.csv, key: id, columns: {id: int, name: text, note: text?, price: money, hot: flag, lat: decimal?, day: date, at: time?, more: json}}
  part: {file: part.csv, key: id, parent: thing, on: thing_id, columns: {id: int, thing_id: int, size: text, weight: int?}}
documents:
  page: {list: true, body: {id: id, name: name}}
  thing:
    path: ""
    body:
      id: {text: id}
      note: note
      price: price
      hot: hot
      lat: lat
      lat_text: {text: lat}
      day: day
      at: at
      more: more
      more_text: {text: more}
      parts: {each: part, as: {size: size, weight: weight}, empty: [{size: null}]}
      keyed: {each: part, keyed: id, as: {size: size}, empty: {"null": {size: null}}}
      sizes: {each: part, as: size}
`

func schemaOf(t *testing.T, text, document string) *Schema {
	t.Helper()
	s, err := Parse("things.yaml", []byte(text))
	if err != nil {
		t.Fatal(err)
	}
	for i := range s.Endpoints {
		if s.Endpoints[i].Name == document {
			return s.Schema(&s.Endpoints[i])
		}
	}
	t.Fatalf("no document %s", document)
	return nil
}

func TestSchema(t *testing.T) {
	got, err := json.Marshal(schemaOf(t, schemaShape, "thing"))
	if err != nil {
		t.Fatal(err)
	}
	want := `{"type":["object"],"properties":{` +
		`"at":{"type":["string","null"],"format":"date-time"},` +
		`"day":{"type":["string"],"format":"date"},` +
		`"hot":{"type":["boolean"]},` +
		`"id":{"type":["string"]},` +
		`"keyed":{"type":["object"],"additionalProperties":` +
		`{"type":["object"],"properties":{"size":{"type":["string","null"]}},"required":["size"]}},` +
		`"lat":{"type":["number","null"]},` +
		`"lat_text":{"type":["string","null"]},` +
		`"more":{"type":["array","boolean","null","number","object","string"]},` +
		`"more_text":{"type":["string"]},` +
		`"note":{"type":["string","null"]},` +
		`"parts":{"type":["array"],"items":{"type":["object"],"properties":` +
		`{"size":{"type":["string","null"]},"weight":{"type":["integer","null"]}},"required":["size"]}},` +
		`"price":{"type":["string"],"pattern":"^-?[0-9]+\\.[0-9]{2}$"},` +
		`"sizes":{"type":["array"],"items":{"type":["string"]}}` +
		`},"required":["at","day","hot","id","keyed","lat","lat_text","more","more_text","note","parts","price","sizes"]}`
	if string(got) != want {
		t.Errorf("got  %s\nwant %s", got, want)
	}
}

// TestSchemaOfBodies gets the schema of one body at a time.
func TestSchemaOfBodies(t *testing.T) {
	for body, want := range map[string]string{
		`{constant: stop}`: `{"type":["string"]}`,
		`{constant: {a: {b: 1}, c: [1, x]}}`: `{"type":["object"],"properties":{"a":{"type":["object"],"properties":` +
			`{"b":{"type":["integer"]}},"required":["b"]},"c":{"type":["array"],"items":{"type":["integer","string"]}}},"required":["a","c"]}`,
		`[id, note]`:     `{"type":["array"],"items":{"type":["integer","string","null"]}}`,
		`[price, price]`: `{"type":["array"],"items":{"type":["string"],"pattern":"^-?[0-9]+\\.[0-9]{2}$"}}`,
		`[price, name]`:  `{"type":["array"],"items":{"type":["string"]}}`,
		`[price, id]`:    `{"type":["array"],"items":{"type":["string","integer"],"pattern":"^-?[0-9]+\\.[0-9]{2}$"}}`,
		`[{object: {a: id, b: id}}, {object: {a: note}}]`: `{"type":["array"],"items":{"type":["object"],"properties":` +
			`{"a":{"type":["integer","string","null"]},"b":{"type":["integer"]}},"required":["a"]}}`,
		`[[id], [name]]`:                                     `{"type":["array"],"items":{"type":["array"],"items":{"type":["integer","string"]}}}`,
		`{array: [note, id], nulls: drop}`:                   `{"type":["array"],"items":{"type":["string","integer"]}}`,
		`{array: [{constant: null}], nulls: drop}`:           `{"type":["array"]}`,
		`{count: part}`:                                      `{"type":["integer"]}`,
		`{text: {count: part}}`:                              `{"type":["string"],"pattern":"^-?[0-9]+$"}`,
		`{sum: weight, of: part}`:                            `{"type":["integer"]}`,
		`{min: weight, of: part}`:                            `{"type":["integer","null"]}`,
		`{max: size, of: part}`:                              `{"type":["string","null"]}`,
		`{average: weight, of: part}`:                        `{"type":["number","null"]}`,
		`{average: weight, of: part, round: 0}`:              `{"type":["integer","null"]}`,
		`{text: {average: weight, of: part}}`:                `{"type":["string","null"],"pattern":"^-?[0-9]+\\.[0-9]{2}$"}`,
		`{counts: size, of: part}`:                           `{"type":["object"],"additionalProperties":{"type":["integer"]}}`,
		`{split: name, at: x}`:                               `{"type":["array"],"items":{"type":["string"]}}`,
		`{split: note, at: x, as: int}`:                      `{"type":["array"],"items":{"type":["integer"]}}`,
		`{one: part, as: id}`:                                `{"type":["integer","null"]}`,
		`{one: part, as: {object: {size: size}}, empty: {}}`: `{"type":["object"],"properties":{"size":{"type":["string"]}}}`,
		`{join: [name, note], with: " "}`:                    `{"type":["string"]}`,
		`{join: [note, {constant: x}]}`:                      `{"type":["string","null"]}`,
		`{each: part, as: id, empty: [{a: null}, 1]}`:        `{"type":["array"],"items":{"type":["integer","object"],"properties":{"a":{"type":["null"]}}}}`,
	} {
		text := schemaShape + "  one: {path: one, body: " + body + "}\n"
		got, err := json.Marshal(schemaOf(t, text, "one"))
		if err != nil {
			t.Fatal(err)
		}
		if string(got) != want {
			t.Errorf("%s:\ngot  %s\nwant %s", body, got, want)
		}
	}
}

func TestBreakingChanges(t *testing.T) {
	before := schemaOf(t, schemaShape, "thing")
	for _, c := range []struct{ name, old, new, want string }{
		{"nothing", "", "", ""},
		{"a new field", "      hot: hot\n", "      hot: hot\n      name: name\n", ""},
		{"a field gone", "      hot: hot\n", "", "hot was removed"},
		{"a type changed", "id: {text: id}", "id: id", "id changed its type from string to integer"},
		{"a column may be null", "price: money", "price: money?", "price may now be null"},
		{"a column may no longer be null", "note: text?", "note: text", ""},
		{"a decimal is an int now", "lat: decimal?", "lat: int?", ""},
		{"an int is a decimal now", "weight: int?", "weight: decimal?", "parts[].weight changed its type from integer or null to number or null"},
		{"a date is a text now", "day: date", "day: text", "day is no longer a date"},
		{"any JSON is a date now", "more: json", "more: date", ""},
		{
			"a date is any JSON now", "day: day", "day: more",
			"day changed its type from string to array or boolean or null or number or object or string; day may now be null; " +
				"day is no longer a date",
		},
		{"money no more", "price: price", "price: note", "price may now be null; price no longer matches ^-?[0-9]+\\.[0-9]{2}$"},
		{"deep in an array", "as: {size: size, weight: weight}", "as: {weight: weight}", "parts[].size is no longer always present"},
		{
			"deep in an array, no empty", "as: {size: size, weight: weight}, empty: [{size: null}]", "as: {weight: weight}",
			"parts[].size was removed",
		},
		{
			"deep in a keyed object", "keyed: id, as: {size: size}", "keyed: id, as: {size: weight}",
			"keyed{}.size changed its type from string or null to integer or null",
		},
		{
			"an array keyed", "sizes: {each: part, as: size}", "sizes: {each: part, keyed: id, as: size}",
			"sizes changed its type from array to object",
		},
		{
			"keyed no more", `keyed: {each: part, keyed: id, as: {size: size}, empty: {"null": {size: null}}}`, "keyed: {size: name}",
			"keyed was keyed and now has fixed fields",
		},
	} {
		t.Run(c.name, func(t *testing.T) {
			if !strings.Contains(schemaShape, c.old) {
				t.Fatalf("%q is not in the shape", c.old)
			}
			after := schemaOf(t, strings.Replace(schemaShape, c.old, c.new, 1), "thing")
			if got := strings.Join(before.BreakingChanges(after), "; "); got != c.want {
				t.Errorf("got %q, want %q", got, c.want)
			}
		})
	}
}
