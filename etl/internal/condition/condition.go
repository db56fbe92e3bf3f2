// Package condition evaluates the tests of a shape file on the values of a column.
package condition

import (
	"bytes"
	"regexp"

	"systemscale/etl/internal/decimal"
	"systemscale/etl/internal/shape"
)

// Condition is a compiled test. It is safe for concurrent use.
type Condition struct {
	terms  []term
	number bool // values are numbers
}

// term is a compiled shape.Term.
type term struct {
	operator shape.Operator
	null     bool
	texts    [][]byte            // the values
	set      map[string]struct{} // the values, if there are many
	numbers  []decimal.Number    // the values, if they are numbers
	pattern  *regexp.Regexp      // for Matches
}

// many is the number of texts from which on a map is used.
const many = 8

// New compiles a test of a column of a type.
func New(test *shape.Test, kind shape.Type) *Condition {
	c := &Condition{number: kind.IsNumber() && !comparesTexts(test, kind)}
	for _, declared := range test.Terms {
		t := term{operator: declared.Operator, null: declared.Null}
		for _, value := range declared.Values {
			t.texts = append(t.texts, []byte(value))
			if c.number {
				t.numbers = append(t.numbers, decimal.Of([]byte(value)))
			}
		}
		switch {
		case t.operator == shape.Matches:
			t.pattern = regexp.MustCompile(declared.Values[0])
		case len(t.texts) >= many && !c.number:
			t.set = make(map[string]struct{}, len(t.texts))
			for _, value := range declared.Values {
				t.set[value] = struct{}{}
			}
		}
		c.terms = append(c.terms, t)
	}
	return c
}

// canonicalInt is the text that a column of ints has for a number.
var canonicalInt = regexp.MustCompile(`^(0|-?[1-9][0-9]*)$`)

// comparesTexts reports whether the values of a column of numbers can be tested as texts, which is faster: for equality with ints.
func comparesTexts(test *shape.Test, kind shape.Type) bool {
	if kind != shape.Int {
		return false
	}
	for _, t := range test.Terms {
		if t.Operator != shape.Is && t.Operator != shape.Not {
			return false
		}
		for _, value := range t.Values {
			if !canonicalInt.MatchString(value) {
				return false
			}
		}
	}
	return true
}

// Holds reports whether a value meets the test. text is its canonical form; it is ignored for null. Holds does not allocate.
func (c *Condition) Holds(text []byte, null bool) bool {
	if null {
		return c.holdsForNull()
	}
	if c.number {
		return c.holdsForNumber(text)
	}
	for i := range c.terms {
		if !c.terms[i].holdsForText(text) {
			return false
		}
	}
	return true
}

func (c *Condition) holdsForNull() bool {
	for i := range c.terms {
		t := &c.terms[i]
		if t.operator == shape.Is && !t.null || t.operator == shape.Not && t.null || t.operator > shape.Not {
			return false
		}
	}
	return true
}

func (c *Condition) holdsForNumber(text []byte) bool {
	n := decimal.Of(text)
	for i := range c.terms {
		t := &c.terms[i]
		holds := false
		switch t.operator {
		case shape.Is, shape.Not:
			found := false
			for j := range t.numbers {
				found = found || n.Compare(&t.numbers[j]) == 0
			}
			holds = found == (t.operator == shape.Is)
		default:
			holds = admits(t.operator, n.Compare(&t.numbers[0]))
		}
		if !holds {
			return false
		}
	}
	return true
}

func (t *term) holdsForText(text []byte) bool {
	switch t.operator {
	case shape.Is:
		return t.contains(text)
	case shape.Not:
		return !t.contains(text)
	case shape.Matches:
		return t.pattern.Match(text)
	}
	return admits(t.operator, bytes.Compare(text, t.texts[0]))
}

func (t *term) contains(text []byte) bool {
	if t.set != nil {
		_, found := t.set[string(text)]
		return found
	}
	for _, one := range t.texts {
		if bytes.Equal(one, text) {
			return true
		}
	}
	return false
}

// admits reports whether an operator admits a value that compares with its operand as order says.
func admits(operator shape.Operator, order int) bool {
	switch operator {
	case shape.Below:
		return order < 0
	case shape.AtMost:
		return order <= 0
	case shape.Above:
		return order > 0
	}
	return order >= 0
}
