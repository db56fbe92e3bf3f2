package shape

import (
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/goccy/go-yaml/ast"
)

// NumbersOf returns the notation of numbers in a column, or nil for the plain one: a point, and nothing else.
func (d *Dialect) NumbersOf(c *Column) *Numbers {
	if c.Numbers != nil || !c.Type.IsNumber() {
		return c.Numbers
	}
	return d.Numbers
}

func (r *reader) numbers(n ast.Node) *Numbers {
	numbers := &Numbers{Decimal: "."}
	for _, e := range r.mapping(n, "numbers", numbersKeywords...) {
		switch e.key {
		case "decimal":
			numbers.Decimal = r.separator(e.value, e.key)
		case "thousands":
			numbers.Thousands = r.separator(e.value, e.key)
		case "currency":
			numbers.Currency = r.currencies(e.value)
		}
	}
	if numbers.Decimal == " " {
		r.fail(position(n), `decimal cannot be a space: name the character before the decimals, such as decimal: ","`)
	}
	if numbers.Decimal == numbers.Thousands {
		r.fail(position(n), `decimal and thousands are both %q: declare both, such as numbers: {decimal: ",", thousands: "."}`,
			numbers.Decimal)
	}
	return numbers
}

// separator parses one character.
func (r *reader) separator(n ast.Node, what string) string {
	text := r.text(n, what)
	c, size := utf8.DecodeRuneInString(text)
	if size == 0 || size < len(text) || unicode.IsLetter(c) || unicode.IsDigit(c) || strings.ContainsAny(text, "+-\"\r\n\t\x00") {
		r.fail(position(n), "%s must be one character, but not a digit, a letter, a sign or a quote: %q", what, text)
	}
	return text
}

// currencies parses one currency or a list.
func (r *reader) currencies(n ast.Node) []string {
	nodes := []ast.Node{n}
	if list, ok := n.(*ast.SequenceNode); ok {
		nodes = list.Values
	}
	var currencies []string
	for _, node := range nodes {
		text := r.text(node, "currency")
		if text == "" || strings.TrimSpace(text) != text || strings.ContainsAny(text, "+-0123456789\"\r\n\x00") {
			r.fail(position(node), `currency must be signs or names such as "$" or EUR, without digits and spaces: %q`, text)
		}
		currencies = append(currencies, text)
	}
	return currencies
}

// checkNumbers rejects a notation for a column that it has no use for.
func (r *reader) checkNumbers(n ast.Node, column *Column) {
	switch {
	case !column.Type.IsNumber():
		r.fail(position(n), "column %s has numbers and the type %s: only int, money and decimal have a notation of numbers",
			column.Name, column.Type)
	case column.Type == Int && (column.Numbers.Decimal != "." || len(column.Numbers.Currency) > 0):
		r.fail(position(n), "column %s is an int, which has no decimals and no currency: declare money or decimal", column.Name)
	}
}
