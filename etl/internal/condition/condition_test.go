package condition

import (
	"testing"

	"systemscale/etl/internal/shape"
)

func term1(operator shape.Operator, values ...string) shape.Test {
	return shape.Test{Terms: []shape.Term{{Operator: operator, Values: values}}}
}

var cases = []struct {
	name    string
	test    shape.Test
	kind    shape.Type
	yes, no []string
	forNull bool
}{
	{name: "an int", test: term1(shape.Is, "9"), kind: shape.Int, yes: []string{"9"}, no: []string{"90", "-9", "0"}},
	{name: "an int, in another form", test: term1(shape.Is, "9.0", "1e2"), kind: shape.Int, yes: []string{"9", "100"}, no: []string{"90", "1"}},
	{name: "an amount", test: term1(shape.Is, "0"), kind: shape.Money, yes: []string{"0.00"}, no: []string{"0.01", "-0.01"}},
	{name: "one of ints", test: term1(shape.Is, "9", "-7"), kind: shape.Int, yes: []string{"9", "-7"}, no: []string{"7", "97"}},
	{name: "a text", test: term1(shape.Is, "1"), kind: shape.Text, yes: []string{"1"}, no: []string{"1.0", "01", ""}},
	{
		name: "many texts", test: term1(shape.Is, "a", "b", "c", "d", "e", "f", "g", "h", ""), kind: shape.Text,
		yes: []string{"a", "h", ""}, no: []string{"ab", "A", "i"},
	},
	{
		name: "none of many texts", test: term1(shape.Not, "a", "b", "c", "d", "e", "f", "g", "h"), kind: shape.Text,
		yes: []string{"ab", "A", "i", ""}, no: []string{"a", "h"}, forNull: true,
	},
	{name: "not", test: term1(shape.Not, "9"), kind: shape.Int, yes: []string{"90", "-9"}, no: []string{"9"}, forNull: true},
	{name: "below", test: term1(shape.Below, "10"), kind: shape.Int, yes: []string{"9", "-11"}, no: []string{"10", "11", "100"}},
	{name: "below a decimal", test: term1(shape.Below, "0.01"), kind: shape.Money, yes: []string{"0.00", "-5.00"}, no: []string{"0.01", "1.00"}},
	{name: "at most", test: term1(shape.AtMost, "1e1"), kind: shape.Money, yes: []string{"10.00", "9.99"}, no: []string{"10.01"}},
	{name: "above", test: term1(shape.Above, "-2.5"), kind: shape.Int, yes: []string{"-2", "3"}, no: []string{"-3"}},
	{name: "at least", test: term1(shape.AtLeast, "10"), kind: shape.Int, yes: []string{"10", "100"}, no: []string{"9", "-10"}},
	{name: "texts by bytes", test: term1(shape.Below, "b"), kind: shape.Text, yes: []string{"", "a", "azz", "B"}, no: []string{"b", "ba", "é"}},
	{name: "a pattern", test: term1(shape.Matches, "^[ab]+"), kind: shape.Text, yes: []string{"ab", "bx"}, no: []string{"xa", ""}},
	{name: "a flag", test: term1(shape.Is, "true"), kind: shape.Flag, yes: []string{"true"}, no: []string{"false"}},
	{
		name: "null", test: shape.Test{Terms: []shape.Term{{Operator: shape.Is, Null: true}}}, kind: shape.Int,
		no: []string{"0"}, forNull: true,
	},
	{
		name: "null or a value", test: shape.Test{Terms: []shape.Term{{Operator: shape.Is, Values: []string{"3"}, Null: true}}},
		kind: shape.Int, yes: []string{"3"}, no: []string{"0"}, forNull: true,
	},
	{
		name: "not null", test: shape.Test{Terms: []shape.Term{{Operator: shape.Not, Null: true}}}, kind: shape.Text,
		yes: []string{"", "null"},
	},
	{
		name: "a range but one", kind: shape.Int,
		test: shape.Test{Terms: []shape.Term{
			{Operator: shape.AtLeast, Values: []string{"1"}},
			{Operator: shape.Below, Values: []string{"5"}},
			{Operator: shape.Not, Values: []string{"3"}},
		}},
		yes: []string{"1", "2", "4"}, no: []string{"0", "3", "5"},
	},
}

func TestHolds(t *testing.T) {
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			condition := New(&c.test, c.kind)
			for _, text := range c.yes {
				if !condition.Holds([]byte(text), false) {
					t.Errorf("it does not hold for %q", text)
				}
			}
			for _, text := range c.no {
				if condition.Holds([]byte(text), false) {
					t.Errorf("it holds for %q", text)
				}
			}
			if got := condition.Holds(nil, true); got != c.forNull {
				t.Errorf("it holds for null: %v, want %v", got, c.forNull)
			}
		})
	}
}

func TestHoldsAllocatesNothing(t *testing.T) {
	for _, c := range cases {
		if c.name == "a pattern" {
			continue // package regexp reuses its memory, except for some of it under the race detector
		}
		condition := New(&c.test, c.kind)
		for _, text := range append(c.yes, c.no...) {
			value := []byte(text)
			if n := testing.AllocsPerRun(100, func() { condition.Holds(value, false) }); n != 0 {
				t.Errorf("%s, for %q: %v allocations", c.name, text, n)
			}
		}
	}
}
