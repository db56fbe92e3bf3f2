package shape

import (
	"errors"
	"strings"
	"testing"
)

// TestParseFormats parses formats of dates and times.
func TestParseFormats(t *testing.T) {
	for column, want := range map[string]string{ // an empty text is no error
		`date`:                                          "",
		`time?`:                                         "",
		`{type: date, format: "%d.%m.%Y"}`:              "",
		`{type: date, format: "%d.%m.%Y %H:%M"}`:        "",
		`{type: date?, format: epoch s}`:                "",
		`{format: "%b %d, %Y %I:%M %p", type: time}`:    "",
		`{type: time, format: epoch ms}`:                "",
		`{type: time, format: "%d.%m.%Y"}`:              `things.yaml:7:101: the format "%d.%m.%Y" of column note has no time: add %H or %I with %p`,
		`{type: date, format: "%d.%m"}`:                 `the format "%d.%m" of column note has no year, month and day`,
		`{type: time, format: "%Q"}`:                    "has the unknown directive %Q; the directives are %Y",
		`{type: time, format: "DD.MM.YYYY"}`:            "has no year, month and day",
		`{type: text, format: "%d.%m.%Y"}`:              "column note has a format and the type text: only date and time have formats",
		`{type: time, format: "%Y-%m-%d %I:%M"}`:        "needs %I, the hour of the half day, and %p",
		`{type: date, numbers: {}, format: "%Y-%m-%d"}`: "only int, money and decimal",
		`{type: time, format: [epoch s]}`:               "format must be a string",
		`{type: json, format: epoch s}`:                 "only date and time have formats",
		`{type: json?, null: "-"}`:                      "",
		`{type: jsonb}`:                                 "the types are int, money, text, flag, decimal, date, time and json",
	} {
		text := strings.NewReplacer("    filters: {test: FILTER}\n", "", "note: text?", "note: "+column).Replace(filtered)
		spec, err := Parse("things.yaml", []byte(text))
		if want == "" {
			if err != nil {
				t.Errorf("%s: %v", column, err)
			} else if err := editorSchema(t).Validate(decode(t, text)); err != nil {
				t.Errorf("the schema rejects %s: %v", column, err)
			}
			continue
		}
		if _, ok := errors.AsType[*Error](err); !ok || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: Parse = %v, %v; want an Error with %q", column, spec, err, want)
		}
	}
}
