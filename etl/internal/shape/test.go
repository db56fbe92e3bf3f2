package shape

import (
	"regexp"
	"slices"
	"strconv"

	"github.com/goccy/go-yaml/ast"
	"github.com/goccy/go-yaml/token"

	"systemscale/etl/internal/decimal"
)

var operators = map[string]Operator{
	"not": Not, "below": Below, "at_most": AtMost, "above": Above, "at_least": AtLeast, "matches": Matches,
}

// test parses a test of a column's value: a scalar, a list, null, or a mapping of operators. It rejects a test that cannot hold for
// any value. what names the test in messages.
func (r *reader) test(n ast.Node, what string, column *Column) *Test {
	if _, ok := n.(ast.MapNode); !ok {
		return &Test{[]Term{r.term(n, what, column, Is)}}
	}
	test := &Test{}
	for _, e := range r.mapping(n, what, testKeywords...) {
		test.Terms = append(test.Terms, r.term(e.value, what, column, operators[e.key]))
	}
	if len(test.Terms) == 0 {
		r.fail(position(n), "%s has no condition: write a value, a list of values, null, or a mapping such as {below: 10}", what)
	}
	r.checkRange(position(n), what, column, test)
	return test
}

func (r *reader) term(n ast.Node, what string, column *Column, operator Operator) Term {
	term := Term{Operator: operator}
	switch operator {
	case Is, Not:
		values := []ast.Node{n}
		if list, ok := n.(*ast.SequenceNode); ok {
			values = list.Values
		}
		for _, value := range values {
			if value.Type() != ast.NullType {
				term.Values = append(term.Values, r.operand(value, what, column, operator))
				continue
			}
			if !column.Nullable {
				r.fail(position(value), "%s can never match: column %s is never null, because its type has no ?; "+
					"rows that are null there are rejected. If they are wanted, write %[2]s: %s?", what, column.Name, column.Type)
			}
			term.Null = true
		}
		if len(values) == 0 {
			r.fail(position(n), "%s has an empty list: name at least one value", what)
		}
	case Matches:
		term.Values = []string{r.pattern(n, what, column)}
	default:
		if n.Type() == ast.NullType || n.Type() == ast.SequenceType {
			r.fail(position(n), "%s compares with nothing: below, at_most, above and at_least need one value", what)
		}
		term.Values = []string{r.operand(n, what, column, operator)}
	}
	return term
}

func (r *reader) pattern(n ast.Node, what string, column *Column) string {
	text := r.text(n, "matches")
	if column.Type != Text {
		r.fail(position(n), "%s: matches needs a text, and %s has the type %s: use below, at_least or a list of values, "+
			"or declare %[2]s: text", what, column.Name, column.Type)
	}
	if _, err := regexp.Compile(text); err != nil {
		r.fail(position(n), "%s: matches needs a regular expression in the notation of RE2: %s", what, err)
	}
	return text
}

// operand returns the canonical form of a value that a column is compared with.
func (r *reader) operand(n ast.Node, what string, column *Column, operator Operator) string {
	text := r.text(n, what)
	equality := operator == Is || operator == Not
	canonical, known := canonicalOperand(text, column, equality)
	if known {
		return canonical
	}
	at := position(n)
	switch {
	case column.Type == JSON:
		r.fail(at, "%s: column %s is JSON, which is only compared with null", what, column.Name)
	case text == "":
		r.fail(at, `%s can never match: column %s has the type %s, and an empty field is not %s, so its row is rejected. `+
			`If an empty field means that there is no value, write null: "" in the dialect, %[2]s: %[3]s?, and null instead of ""`,
			what, column.Name, column.Type, column.Type.noun())
	case column.Type == Flag && !equality:
		r.fail(at, "%s: a flag is true or false, and has no order: use %s: true or %[2]s: false", what, column.Name)
	}
	r.fail(at, "%s can never match: column %s has the type %s, and %q is not %s. Write %s, or declare %[2]s: text",
		what, column.Name, column.Type, text, column.Type.noun(), column.Type.example())
	return ""
}

var (
	intForm     = regexp.MustCompile(`^-?[0-9]+$`)
	decimalForm = regexp.MustCompile(`^[-+]?([0-9]+(\.[0-9]+)?|\.[0-9]+)([eE][-+]?[0-9]{1,4})?$`)
)

// canonicalOperand returns the canonical form of text for a column. It reports false if no value of the column can be equal to it, or
// else if none can be compared with it.
func canonicalOperand(text string, column *Column, equality bool) (string, bool) {
	switch column.Type {
	case Int:
		if !equality {
			return text, decimalForm.MatchString(text)
		}
		n, err := strconv.ParseInt(text, 10, 64)
		return strconv.FormatInt(n, 10), err == nil && intForm.MatchString(text)
	case Money:
		number := decimal.Of([]byte(text))
		return text, decimalForm.MatchString(text) && (!equality || number.Scale() <= 2)
	case Flag:
		set, ok := ParseFlag(text)
		return strconv.FormatBool(set), ok && equality
	case Decimal:
		return text, decimalForm.MatchString(text)
	case Date, Time:
		return column.canonicalTime(text)
	case JSON:
		return "", false
	}
	return text, true
}

// checkRange rejects a range without values.
func (r *reader) checkRange(at *token.Position, what string, column *Column, test *Test) {
	for _, low := range test.Terms {
		if low.Operator != Above && low.Operator != AtLeast {
			continue
		}
		for _, high := range test.Terms {
			if high.Operator != Below && high.Operator != AtMost {
				continue
			}
			order := compareOperands(low.Values[0], high.Values[0], column.Type)
			if order > 0 || order == 0 && (low.Operator == Above || high.Operator == Below) {
				r.fail(at, "%s can never match: no value is both above %s and below %s", what, low.Values[0], high.Values[0])
			}
		}
	}
}

func compareOperands(a, b string, kind Type) int {
	if !kind.IsNumber() {
		return slices.Compare([]byte(a), []byte(b))
	}
	x, y := decimal.Of([]byte(a)), decimal.Of([]byte(b))
	return x.Compare(&y)
}
