package shape

import (
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/goccy/go-json"
	"github.com/google/go-cmp/cmp"
)

// cars has look-ups of two sources, of a chain, of a source by itself, and of the items.
const cars = `collection: cars
sources:
  model: {file: model.csv, key: id, columns: {id: int, name: text, maker_id: int?, maker: {lookup: maker, by: maker_id, show: name}}}
  car: {file: car.csv, key: id, columns: {id: int, model_id: int, maker: {lookup: model, by: model_id, show: maker}}}
  part: {file: part.csv, key: id, parent: car, on: car_id, columns: {id: int, car_id: int, donor_id: int, code: text, name: text}}
  maker: {file: maker.csv, key: id, columns: {id: int, name: text, owner_id: int, home: text?}}
documents:
  car:
    path: ""
    body:
      id: id
      maker: maker
      model: {lookup: model, by: model_id, as: {name: name, maker: {lookup: maker, by: maker_id, as: name}}, empty: {name: none}}
      again: {lookup: model, by: model_id, as: name}
      parts: {each: part, as: {donor: {lookup: car, by: donor_id, as: {id: id, parts: {each: part, as: code}}}}}
`

func parseCars(t *testing.T, text string) *Shape {
	t.Helper()
	s, err := Parse("cars.yaml", []byte(text))
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func TestLookupTables(t *testing.T) {
	s := parseCars(t, cars)
	var sources, tables, readings []string
	for _, source := range s.Sources {
		sources = append(sources, fmt.Sprintf("%s %d %v %d", source.Name, source.Parent, source.Rendered, len(source.Lookups)))
	}
	for _, table := range s.Tables {
		tables = append(tables, fmt.Sprintf("%s %d needs %v", s.Sources[table.Source].Name, table.Column, table.Needs))
	}
	for _, r := range s.Readings() {
		readings = append(readings, fmt.Sprintf("%s %v %v", s.Sources[r.Source].Name, r.Tables, r.Reads))
	}
	if len(s.Tree()) != 2 {
		t.Errorf("%d sources in the tree, want 2", len(s.Tree()))
	}
	want := []string{"car -1 [0 1 2] 3", "part 0 [2 3] 1", "model -1 [0 1 2 3] 2", "maker -1 [0 1] 0"}
	if diff := cmp.Diff(want, sources); diff != "" {
		t.Errorf("sources: want (-), got (+)\n%s", diff)
	}
	want = []string{
		"maker 1 needs []", "model 3 needs [0]", "maker -1 needs []", "model -1 needs [2]", "model -1 needs []", "car -1 needs []",
	}
	if diff := cmp.Diff(want, tables); diff != "" {
		t.Errorf("tables: want (-), got (+)\n%s", diff)
	}
	if diff := cmp.Diff([]string{"maker [0 2] [3]", "model [1 3 4] [2]", "car [5] [0 1]"}, readings); diff != "" {
		t.Errorf("readings: want (-), got (+)\n%s", diff)
	}
}

// TestFragmentsOfAggregates reads the sources whose rows a fragment aggregates.
func TestFragmentsOfAggregates(t *testing.T) {
	for _, body := range []string{"{count: part}", "{max: code, of: part}", "{one: part, as: code}", "[{text: {count: part}}]"} {
		s := parseCars(t, strings.Replace(cars, "as: {id: id, parts: {each: part, as: code}}", "as: "+body, 1))
		readings := s.Readings()
		if last := readings[len(readings)-1]; last.Source != 0 || len(last.Reads) != 2 {
			t.Errorf("%s: the reading of the items is %+v, want one of two sources", body, last)
		}
	}
}

// TestLookupUsesShareATable looks up the same fragment in several places.
func TestLookupUsesShareATable(t *testing.T) {
	s := parseCars(t, strings.Replace(cars, "again: {lookup: model, by: model_id, as: name}",
		"again: {lookup: model, by: model_id, as: {name: name, maker: {lookup: maker, by: maker_id, as: name}}}", 1))
	if len(s.Tables) != 5 || len(s.Sources[0].Lookups) != 3 {
		t.Errorf("%d tables and %d look-ups, want 5 and 3", len(s.Tables), len(s.Sources[0].Lookups))
	}
}

func TestLookupSchema(t *testing.T) {
	s := parseCars(t, strings.Replace(cars, "as: name}\n", "as: name, required: true}\n", 1))
	got, err := json.Marshal(s.Schema(&s.Endpoints[0]))
	if err != nil {
		t.Fatal(err)
	}
	want := `{"type":["object"],"properties":{"again":{"type":["string"]},"id":{"type":["integer"]},"maker":{"type":["string","null"]},` +
		`"model":{"type":["object"],"properties":{"maker":{"type":["string","null"]},"name":{"type":["string"]}},"required":["name"]},` +
		`"parts":{"type":["array"],"items":{"type":["object"],"properties":{"donor":{"type":["object","null"],"properties":` +
		`{"id":{"type":["integer"]},"parts":{"type":["array"],"items":{"type":["string"]}}},"required":["id","parts"]}},` +
		`"required":["donor"]}}},"required":["again","id","maker","model","parts"]}`
	if diff := cmp.Diff(want, string(got)); diff != "" {
		t.Errorf("want (-), got (+)\n%s", diff)
	}
}

// TestMissingColumnOfALookup makes a column nullable and those that show it.
func TestMissingColumnOfALookup(t *testing.T) {
	s := parseCars(t, strings.NewReplacer("show: name}", "show: name, required: true}", "show: maker}", "show: maker, required: true}",
		"maker_id: int?", "maker_id: int").Replace(cars))
	if s.Sources[0].Columns[2].Nullable || s.Sources[2].Columns[3].Nullable {
		t.Fatal("a required look-up is nullable")
	}
	s.MissingColumn(3, 1)
	if !s.Sources[0].Columns[2].Nullable || !s.Sources[2].Columns[3].Nullable || s.Sources[0].Columns[1].Nullable {
		t.Error("the columns that show a missing one are not nullable, or others are")
	}
}

// TestLookupByColumns looks up a source whose key has two columns, one of which may be null and one of which is looked up.
func TestLookupByColumns(t *testing.T) {
	s := parseCars(t, `collection: games
sources:
  game: {file: game.csv, key: id, columns: {id: int, season: text, cup: int?, home: {lookup: cup, by: cup, show: team, required: true}}}
  team:
    file: team.csv
    key: [season, id]
    columns: {id: int, name: text, season: text, rank: {lookup: cup, by: id, show: team}, prize: {lookup: prize, by: [season, rank], show: name}}
  prize: {file: prize.csv, key: [season, rank], columns: {season: text, rank: int, name: text}}
  cup: {file: cup.csv, key: id, columns: {id: int, team: int}}
documents:
  all:
    list: true
    body:
      name: {lookup: team, by: [season, home], as: name, required: true}
      again: {lookup: team, by: [season, home], as: name, required: true}
      none: {lookup: team, by: [season, cup], as: name, empty: none}
      prize: {lookup: team, by: [season, cup], as: prize}
`)
	var sources, tables []string
	for _, source := range s.Sources {
		sources = append(sources, fmt.Sprintf("%s %v %v", source.Name, source.Rendered, source.Lookups))
	}
	for _, table := range s.Tables {
		tables = append(tables, fmt.Sprintf("%s %d needs %v", s.Sources[table.Source].Name, table.Column, table.Needs))
	}
	want := []string{
		`game [1 2 3] [{0 [2] 3 true } {2 [1 3] -1 true } {2 [1 2] -1 false "none"} {3 [1 2] -1 false }]`,
		"team [0 1 2 3 4] [{0 [0] 3 false } {1 [2 3] 4 false }]", "prize [0 1 2] []", "cup [0 1] []",
	}
	if diff := cmp.Diff(want, sources); diff != "" {
		t.Errorf("sources: want (-), got (+)\n%s", diff)
	}
	want = []string{"cup 1 needs []", "prize 2 needs []", "team -1 needs []", "team -1 needs [1 0]"}
	if diff := cmp.Diff(want, tables); diff != "" {
		t.Errorf("tables: want (-), got (+)\n%s", diff)
	}
	got, err := json.Marshal(s.Schema(&s.Endpoints[0]).Properties)
	if err != nil {
		t.Fatal(err)
	}
	schema := `{"again":{"type":["string","null"]},"name":{"type":["string","null"]},"none":{"type":["string"]},"prize":{"type":["string","null"]}}`
	if string(got) != schema {
		t.Errorf("schema %s, want %s", got, schema)
	}
	if got := s.Sources[0].Places(Indices{3, 1}); !cmp.Equal(got, []int{2, 0}) {
		t.Errorf("places %v, want [2 0]", got)
	}
}

func TestRootSource(t *testing.T) {
	// Both sources without parent are looked up, and both by each other; only the declaration shows which one is the root.
	const mutual = `collection: people
sources:
  city: {file: city.csv, key: id, columns: {id: int, mayor: int, name: text}}
  person: {file: person.csv, key: id, ROOT columns: {id: int, city: int, name: text}}
documents:
  all: {list: true, body: {id: id, city: {lookup: city, by: city, as: {name: name, mayor: {lookup: person, by: mayor, as: name}}}}}
`
	s := parseCars(t, strings.Replace(mutual, "ROOT", "root: true,", 1))
	if s.Sources[0].Name != "person" {
		t.Errorf("the root is %s", s.Sources[0].Name)
	}
	_, err := Parse("people.yaml", []byte(strings.Replace(mutual, "ROOT", "", 1)))
	if err == nil || !strings.Contains(err.Error(), "declare root: true in the one whose rows are the items") {
		t.Errorf("error %v", err)
	}
}

func TestLookupErrors(t *testing.T) {
	for _, c := range []struct{ name, old, new, want string }{
		{
			"an unknown source", "lookup: model, by: model_id, as: name", "lookup: modell, by: model_id, as: name",
			`cars.yaml:14:23: there is no source "modell" to look up; there are car, part, model, maker`,
		},
		{
			"a source with a parent", "lookup: model, by: model_id, as: name", "lookup: part, by: model_id, as: name",
			"source part has a parent, and only rows of a source without one can be looked up",
		},
		{"an unknown column", "lookup: model, by: model_id, as: name", "lookup: model, by: modelid, as: name", `car has no column "modelid"`},
		{"a column of the wrong source", "by: model_id, as: name", "by: model_id, as: model_id", `model has no column "model_id"`},
		{"another type", "lookup: car, by: donor_id", "lookup: car, by: code", "column code of part is text and id of car is int"},
		{
			"more columns than the key", "lookup: model, by: model_id, as: name", "lookup: model, by: [id, model_id], as: name",
			"cars.yaml:14:34: by has 2 of the columns of car (id, model_id), and the key of model has 1 (id): " +
				"name one column of car for each column of the key, in its order",
		},
		{
			"fewer columns than the key", "maker.csv, key: id", "maker.csv, key: [id, name]",
			"by has 1 of the columns of model (maker_id), and the key of maker has 2 (id, name)",
		},
		{
			"another type of a later column", "  maker: {",
			"  team: {file: team.csv, key: [id, name], columns: {id: int, name: text, n: int, next: {lookup: team, by: [id, n], show: n}}}\n  maker: {",
			"cars.yaml:6:112: column n of team is int and name of team is text: the types of a key and of the column that has it must be the same",
		},
		{
			"an unknown column of a list", "lookup: model, by: model_id, as: name", "lookup: model, by: [id, modelid], as: name",
			`cars.yaml:14:39: car has no column "modelid"`,
		},
		{"a column twice", "lookup: car, by: donor_id", "lookup: car, by: [id, id]", "column id is twice in this key"},
		{"no column", "by: model_id, as: name", "by: [], as: name", "by needs at least one column, such as by: [season, team_id]"},
		{
			"a column of a list that shows itself", "maker: {lookup: model, by: model_id, show: maker}",
			"maker: {lookup: model, by: [model_id, maker], show: name}", "column maker of car shows itself",
		},
		{"no by", "{lookup: model, by: model_id, as: name}", "{lookup: model, as: name}", "a look-up needs a by and an as"},
		{"no as", "{lookup: model, by: model_id, as: name}", "{lookup: model, by: model_id}", "a look-up needs a by and an as"},
		{"an unknown setting", "by: model_id, as: name}", "by: model_id, as: name, emty: 1}", `lookup has no setting "emty"`},
		{"no show", "by: maker_id, show: name", "by: maker_id", "column maker of model is looked up, and needs a by and a show"},
		{"a type of a looked-up column", "show: name}", "show: name, type: text}", `has no setting "type"`},
		{
			"a column that shows itself", "lookup: model, by: model_id, show: maker", "lookup: car, by: model_id, show: maker",
			"column maker of car shows itself",
		},
		{"a key that is looked up", "car.csv, key: id", "car.csv, key: maker", "column maker of car is looked up: name a column of the file"},
		{
			"a repair of a looked-up column", "car.csv, key: id", "car.csv, key: id, repairs: {x: {column: maker, prefix: a}}",
			"column maker of car is looked up",
		},
		{
			"a child of a look-up source", "car.csv, key: id",
			"car.csv, key: id, root: true, columns: {id: int}}\n  x: {parent: maker, on: id, file: x.csv",
			"source x cannot have the parent maker, which is looked up",
		},
		{
			"a source that nothing uses", "  part:", "  other: {file: other.csv, key: id, columns: {id: int}}\n  part:",
			"the root source, other, and those below it have children; if the rows of another source are the items, declare root: true there",
		},
		{
			"a source that nothing uses beside a root", "car.csv, key: id",
			"car.csv, root: true, key: id, columns: {id: int}}\n  other: {file: b.csv, key: id",
			"source other has no parent, and no lookup names it",
		},
		{"two roots", "key: id, columns: {id: int, name: text", "root: true, key: id, columns: {id: int, name: text", "root: true"},
		{"a root with a parent", "part.csv,", "part.csv, root: true,", "source part has root: true and a parent"},
		{"look-ups by merged rows", "car.csv,", "car.csv, rows: merge,", "source car merges rows, and its rows cannot look up others"},
		{"merged rows that are looked up", "maker.csv,", "maker.csv, rows: merge,", "source maker merges rows, so it cannot be looked up"},
		{
			"a list of ints that is looked up", "maker: maker\n", "maker: {split: maker, at: \",\", as: int}\n",
			"column maker of car is looked up: split it",
		},
		{"no key", "maker.csv, key: id,", "maker.csv,", "source maker has no key"},
		{
			"a required look-up by the same source", "owner_id: int,",
			"owner_id: int, owner: {lookup: maker, by: owner_id, show: home, required: true},",
			"this look-up needs itself: which rows of maker are used depends on it",
		},
	} {
		t.Run(c.name, func(t *testing.T) {
			text := strings.Replace(cars, c.old, c.new, 1)
			if c.name == "two roots" {
				text = strings.ReplaceAll(strings.ReplaceAll(cars, "model.csv,", "model.csv, root: true,"), "car.csv,", "car.csv, root: true,")
			}
			if text == cars {
				t.Fatalf("the case changes nothing: %q is not in the shape", c.old)
			}
			_, err := Parse("cars.yaml", []byte(text))
			if _, ok := errors.AsType[*Error](err); !ok || !strings.Contains(err.Error(), c.want) {
				t.Errorf("error %v, want an Error with %q", err, c.want)
			}
		})
	}
}
