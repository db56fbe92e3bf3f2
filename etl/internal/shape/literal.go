package shape

import (
	"strings"

	"github.com/goccy/go-json"
	"github.com/goccy/go-yaml/ast"
	"github.com/goccy/go-yaml/token"

	"systemscale/etl/internal/decimal"
)

// literal returns the JSON of a YAML value. Fields keep their order.
func (r *reader) literal(n ast.Node) string {
	switch value := n.(type) {
	case ast.MapNode:
		var members []string
		for _, e := range r.mapping(n, "a JSON value") {
			members = append(members, r.quote(n, e.key)+":"+r.literal(e.value))
		}
		return "{" + strings.Join(members, ",") + "}"
	case *ast.SequenceNode:
		var elements []string
		for _, element := range value.Values {
			elements = append(elements, r.literal(element))
		}
		return "[" + strings.Join(elements, ",") + "]"
	case *ast.NullNode:
		return "null"
	case *ast.BoolNode, *ast.IntegerNode, *ast.FloatNode:
		if text := scalarText(n); json.Valid([]byte(text)) {
			return text
		}
	case *ast.StringNode:
		if !isLargeNumber(value) {
			return r.quote(n, value.Value)
		}
		if _, stored := decimal.Append(nil, []byte(value.Value)); stored {
			return value.Value
		}
		r.fail(position(n), "PostgreSQL cannot store this number: put quotes around it to make it a string")
	}
	r.fail(position(n), "not a JSON value: put quotes around a string")
	return ""
}

// isLargeNumber reports whether n is a number that the YAML parser takes for a string, because it does not fit into 64 bits.
func isLargeNumber(n *ast.StringNode) bool {
	text := n.Value
	return n.Token.Type == token.StringType && text != "" && (text[0] == '-' || text[0]-'0' <= 9) && json.Valid([]byte(text))
}

func (r *reader) quote(n ast.Node, text string) string {
	if strings.Contains(text, "\x00") {
		r.fail(position(n), "PostgreSQL cannot store a NUL character in JSON: remove it from %q", text)
	}
	quoted, err := json.MarshalWithOption(text, json.DisableHTMLEscape())
	if err != nil {
		r.fail(position(n), "%q cannot be encoded as JSON: %s", text, err)
	}
	return string(quoted)
}
