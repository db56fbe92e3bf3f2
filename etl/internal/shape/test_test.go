package shape

import (
	"errors"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// filtered is a shape with a column of each type, and a filter to replace.
const filtered = `collection: things
dialect: {null: "-"}
sources:
  thing:
    file: things.csv
    key: id
    columns: {id: int, shelf: int, size: int?, price: money, name: text, note: text?, hot: flag, lat: decimal?,
      day: date, at: time, exact: {type: time?, format: epoch ms}, more: json?}
    filters: {test: FILTER}
documents:
  thing: {path: "", body: {id: id}}
`

func parseFilter(t *testing.T, filter string) (*Shape, error) {
	t.Helper()
	text := strings.Replace(filtered, "FILTER", filter, 1)
	spec, err := Parse("things.yaml", []byte(text))
	if err == nil {
		if err := editorSchema(t).Validate(decode(t, text)); err != nil {
			t.Errorf("the schema rejects %s: %v", filter, err)
		}
	}
	return spec, err
}

func TestParseFilters(t *testing.T) {
	one := func(operator Operator, values ...string) *Test {
		return &Test{[]Term{{Operator: operator, Values: values}}}
	}
	for _, c := range []struct {
		filter string
		want   Filter
	}{
		{`{column: shelf, drop: "0"}`, Filter{Column: 1, Drop: "0"}},
		{`{column: shelf, drop: "007"}`, Filter{Column: 1, Drop: "007"}},
		{`{column: size, drop: "-"}`, Filter{Column: 2, Drop: "-"}},
		{`{column: name, drop: ""}`, Filter{Column: 4}},
		{`{column: name, drop: 12}`, Filter{Column: 4, Drop: "12"}},
		{`{column: price, drop: 0}`, Filter{Column: 3, Test: one(Is, "0")}},
		{`{column: hot, drop: 0}`, Filter{Column: 6, Test: one(Is, "false")}},
		{`{column: hot, drop: "YES"}`, Filter{Column: 6, Test: one(Is, "true")}},
		{`{column: lat, drop: "-"}`, Filter{Column: 7, Drop: "-"}},
		{`{column: lat, drop: 0}`, Filter{Column: 7, Test: one(Is, "0")}},
		{`{column: lat, keep: {above: -1.5e2}}`, Filter{Column: 7, Test: one(Above, "-1.5e2"), Keep: true}},
		{`{column: day, drop: 2024-01-31}`, Filter{Column: 8, Test: one(Is, "2024-01-31")}},
		{`{column: at, drop: {below: 2024-01-31}}`, Filter{Column: 9, Test: one(Below, "2024-01-31T00:00:00Z")}},
		{`{column: at, drop: "2024-01-31T10:11:12.000+02:00"}`, Filter{Column: 9, Test: one(Is, "2024-01-31T08:11:12Z")}},
		{`{column: exact, keep: {above: 2024-01-31 10:11}}`, Filter{Column: 10, Test: one(Above, "2024-01-31T10:11:00.000Z"), Keep: true}},
		{`{column: exact, keep: "2024-01-31T10:11:12.5Z"}`, Filter{Column: 10, Test: one(Is, "2024-01-31T10:11:12.500Z"), Keep: true}},
		{`{column: more, keep: {not: null}}`, Filter{Column: 11, Test: &Test{[]Term{{Operator: Not, Null: true}}}, Keep: true}},
		{`{column: shelf, keep: "9"}`, Filter{Column: 1, Test: one(Is, "9"), Keep: true}},
		{`{column: shelf, keep: [9, "007", -1]}`, Filter{Column: 1, Test: one(Is, "9", "7", "-1"), Keep: true}},
		{`{column: shelf, keep: {not: 9}}`, Filter{Column: 1, Test: one(Not, "9"), Keep: true}},
		{`{column: shelf, drop: {below: 1.5}}`, Filter{Column: 1, Test: one(Below, "1.5")}},
		{`{column: price, drop: {below: 0.01}}`, Filter{Column: 3, Test: one(Below, "0.01")}},
		{`{column: name, drop: {matches: "^x"}}`, Filter{Column: 4, Test: one(Matches, "^x")}},
		{`{column: note, drop: null}`, Filter{Column: 5, Test: &Test{[]Term{{Operator: Is, Null: true}}}}},
		{`{column: size, keep: {not: [null, 3]}}`, Filter{Column: 2, Test: &Test{[]Term{{Not, []string{"3"}, true}}}, Keep: true}},
		{
			`{column: size, keep: {at_least: 1, below: 5}}`,
			Filter{Column: 2, Test: &Test{[]Term{{Operator: AtLeast, Values: []string{"1"}}, {Operator: Below, Values: []string{"5"}}}}, Keep: true},
		},
	} {
		spec, err := parseFilter(t, c.filter)
		if err != nil {
			t.Errorf("%s: %v", c.filter, err)
			continue
		}
		c.want.Name = "test"
		if diff := cmp.Diff(c.want, spec.Sources[0].Filters[0]); diff != "" {
			t.Errorf("%s (-want +got):\n%s", c.filter, diff)
		}
	}
}

func TestParseFilterErrors(t *testing.T) {
	for _, c := range []struct{ filter, want string }{
		{
			`{column: shelf, drop: ""}`,
			`things.yaml:9:43: filter test can never match: column shelf has the type int, and an empty field is not a whole number, ` +
				`so its row is rejected. If an empty field means that there is no value, write null: "" in the dialect, ` +
				`shelf: int?, and null instead of ""`,
		},
		{`{column: shelf, drop: none}`, `column shelf has the type int, and "none" is not a whole number. Write a number such as 7, or declare shelf: text`},
		{`{column: shelf, drop: "-"}`, `"-" is not a whole number`},
		{`{column: shelf, keep: 1.5}`, `"1.5" is not a whole number`},
		{`{column: shelf, keep: 9223372036854775808}`, "is not a whole number"},
		{`{column: shelf, keep: {below: many}}`, `"many" is not a whole number`},
		{`{column: price, keep: 1.234}`, `"1.234" is not an amount with at most two decimals`},
		{`{column: price, drop: "$5"}`, `"$5" is not an amount`},
		{`{column: lat, keep: north}`, `"north" is not a decimal number. Write a number such as 4.5`},
		{`{column: day, keep: 2024-02-30}`, `"2024-02-30" is not a date in the form of ISO 8601. Write a date such as 2024-01-31`},
		{`{column: day, keep: 2024-01-31T10:11:12Z}`, `is not a date in the form of ISO 8601`},
		{`{column: at, keep: "2024-01-31T10:11:12.5Z"}`, `is not a time in the form of ISO 8601`},
		{`{column: at, keep: "31/01/2024"}`, `is not a time in the form of ISO 8601`},
		{`{column: more, keep: "{}"}`, `column more is JSON, which is only compared with null`},
		{`{column: hot, keep: maybe}`, `"maybe" is not a flag. Write true or false`},
		{`{column: hot, keep: {below: 1}}`, "a flag is true or false, and has no order: use hot: true or hot: false"},
		{
			`{column: shelf, drop: null}`,
			"things.yaml:9:43: filter test can never match: column shelf is never null, because its type has no ?; " +
				"rows that are null there are rejected. If they are wanted, write shelf: int?",
		},
		{`{column: shelf, keep: {not: null}}`, "column shelf is never null"},
		{`{column: size, keep: {above: null}}`, "filter test compares with nothing"},
		{`{column: size, keep: {above: [1, 2]}}`, "filter test compares with nothing"},
		{`{column: size, keep: []}`, "filter test has an empty list"},
		{`{column: size, keep: {}}`, "filter test has no condition"},
		{`{column: size, keep: {under: 5}}`, `filter test has no setting "under"; it has not, below`},
		{`{column: size, keep: {above: 10, below: 9}}`, "no value is both above 10 and below 9"},
		{`{column: price, keep: {at_least: 1.0, below: 1}}`, "no value is both above 1.0 and below 1"},
		{`{column: size, keep: {matches: "1"}}`, "matches needs a text, and size has the type int"},
		{`{column: name, keep: {matches: "("}}`, "matches needs a regular expression"},
		{`{column: name, keep: a, drop: b}`, "filter test has both keep and drop: write two filters"},
		{`{column: name}`, "filter test needs a column and the values to drop or to keep"},
	} {
		spec, err := parseFilter(t, c.filter)
		if _, ok := errors.AsType[*Error](err); !ok || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: Parse = %v, %v; want an Error with %q", c.filter, spec, err, c.want)
		}
	}
}
