package shape

import (
	"errors"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// TestParseNumbers parses notations of numbers, in the dialect and in a column.
func TestParseNumbers(t *testing.T) {
	parse := func(dialect, price string) (*Shape, error) {
		text := strings.Replace(filtered, `dialect: {null: "-"}`, "dialect: "+dialect, 1)
		text = strings.NewReplacer("    filters: {test: FILTER}\n", "", "price: money", "price: "+price).Replace(text)
		spec, err := Parse("things.yaml", []byte(text))
		if err == nil {
			if err := editorSchema(t).Validate(decode(t, text)); err != nil {
				t.Errorf("the schema rejects %s and %s: %v", dialect, price, err)
			}
		}
		return spec, err
	}
	comma := &Numbers{Decimal: ",", Thousands: "."}
	for _, c := range []struct {
		dialect, price string
		want           *Numbers
	}{
		{`{}`, `money`, nil},
		{`{numbers: {decimal: ",", thousands: "."}}`, `money`, comma},
		{`{numbers: {decimal: ",", thousands: "."}}`, `text`, nil},
		{`{numbers: {decimal: ",", thousands: "."}}`, `{type: decimal?}`, comma},
		{`{numbers: {decimal: ",", thousands: "."}}`, `{type: money, numbers: {}}`, &Numbers{Decimal: "."}},
		{`{}`, `{type: money, numbers: {decimal: ",", thousands: "."}}`, comma},
		{`{}`, `{numbers: {thousands: " "}, type: int}`, &Numbers{Decimal: ".", Thousands: " "}},
		{`{}`, `{type: money, numbers: {currency: $}}`, &Numbers{Decimal: ".", Currency: []string{"$"}}},
		{`{numbers: {currency: ["€", EUR]}}`, `money`, &Numbers{Decimal: ".", Currency: []string{"€", "EUR"}}},
	} {
		spec, err := parse(c.dialect, c.price)
		if err != nil {
			t.Errorf("%s, %s: %v", c.dialect, c.price, err)
			continue
		}
		if diff := cmp.Diff(c.want, spec.Dialect.NumbersOf(&spec.Sources[0].Columns[3])); diff != "" {
			t.Errorf("%s, %s (-want +got):\n%s", c.dialect, c.price, diff)
		}
	}
	for _, c := range []struct{ dialect, price, want string }{
		{`{numbers: {thousands: "."}}`, `money`, `things.yaml:2:21: decimal and thousands are both "."`},
		{`{numbers: {decimal: "::"}}`, `money`, "decimal must be one character"},
		{`{numbers: {decimal: "5"}}`, `money`, "decimal must be one character"},
		{`{numbers: {decimal: " "}}`, `money`, "decimal cannot be a space"},
		{`{numbers: {thousands: ""}}`, `money`, "thousands must be one character"},
		{`{numbers: {comma: ","}}`, `money`, `numbers has no setting "comma"`},
		{`{numbers: {currency: "5$"}}`, `money`, "currency must be signs or names"},
		{`{numbers: {currency: ["€", " $"]}}`, `money`, "currency must be signs or names"},
		{`{}`, `{type: text, numbers: {decimal: ","}}`, "column price has numbers and the type text: only int, money and decimal"},
		{`{}`, `{type: int, numbers: {decimal: ","}}`, "column price is an int, which has no decimals and no currency"},
	} {
		spec, err := parse(c.dialect, c.price)
		if _, ok := errors.AsType[*Error](err); !ok || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s, %s: Parse = %v, %v; want an Error with %q", c.dialect, c.price, spec, err, c.want)
		}
	}
}
