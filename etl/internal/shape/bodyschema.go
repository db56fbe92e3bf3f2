package shape

import (
	"fmt"
	"maps"
	"slices"

	"github.com/goccy/go-json"

	"systemscale/sql"
)

// moneyPattern is the format of an amount.
const moneyPattern = `^-?[0-9]+\.[0-9]{2}$`

// Schema returns the schema of an endpoint's documents; of a list, that of one element.
func (s *Shape) Schema(e *Endpoint) *Schema { return s.schema(e.Body, 0) }

func (s *Shape) schema(n Node, in int) *Schema {
	switch n := n.(type) {
	case Value:
		return s.Sources[in].Columns[n.Column].schema(n.Text)
	case Object:
		object := &Schema{Type: []string{"object"}, Properties: make(map[string]*Schema, len(n.Fields))}
		for _, field := range n.Fields {
			object.Properties[field.Name] = s.schema(field.Body, in)
		}
		object.Required = slices.Sorted(maps.Keys(object.Properties))
		return object
	case Constant:
		return constantSchema(decoded(n.JSON))
	case Array:
		return s.arraySchema(n, in)
	case Join:
		return s.joinSchema(n, in)
	case Split:
		kind := "string"
		if n.Ints {
			kind = "integer"
		}
		return &Schema{Type: []string{"array"}, Items: &Schema{Type: []string{kind}}}
	case Aggregate:
		return s.aggregateSchema(&n)
	case One:
		one := s.schema(n.As, n.Source)
		one.admit(decoded(n.Empty))
		return one
	case LookedUp:
		return s.lookupSchema(n, in)
	case Each:
		each := &Schema{Type: []string{"array"}, Items: s.schema(n.As, n.Source)}
		if n.Keyed >= 0 {
			each = &Schema{Type: []string{"object"}, Keyed: s.schema(n.As, n.Source)}
		}
		each.admit(decoded(n.Empty))
		return each
	}
	panic(fmt.Sprintf("BUG: a body of type %T", n))
}

func (s *Shape) lookupSchema(n LookedUp, in int) *Schema {
	of := &s.Sources[in]
	l := &of.Lookups[n.Lookup]
	table := &s.Tables[l.Table]
	one := s.schema(table.Body, table.Source)
	if !l.Required || of.nullable(l.By) {
		one.admit(decoded(l.EmptyJSON()))
	}
	return one
}

// decoded returns the value of a JSON text that Parse has written.
func decoded(text string) any {
	var value any
	if err := json.Unmarshal([]byte(text), &value); err != nil {
		panic("BUG: the JSON of a constant is invalid: " + err.Error())
	}
	return value
}

func (s *Shape) arraySchema(n Array, in int) *Schema {
	array := &Schema{Type: []string{"array"}, Items: &Schema{}}
	for i, element := range n.Elements {
		one := s.schema(element, in)
		if n.DropNulls {
			one.Type = slices.DeleteFunc(one.Type, func(kind string) bool { return kind == "null" })
		}
		if i == 0 {
			array.Items = one
		} else {
			array.Items.merge(one)
		}
	}
	if len(array.Items.Type) == 0 { // only nulls, which are left out
		array.Items = nil
	}
	return array
}

func (s *Shape) joinSchema(n Join, in int) *Schema {
	for _, part := range n.Parts {
		if part.Column >= 0 && !s.Sources[in].Columns[part.Column].Nullable {
			return &Schema{Type: []string{"string"}}
		}
	}
	return &Schema{Type: []string{"string", "null"}}
}

func (s *Shape) aggregateSchema(a *Aggregate) *Schema {
	switch a.Operation {
	case Count:
		return numberSchema(0, a.Text, false)
	case Counts:
		return &Schema{Type: []string{"object"}, Keyed: numberSchema(0, a.Text, false)}
	}
	column := s.Sources[a.Last()].Columns[a.Column]
	column.Nullable = a.Operation != Sum
	asText := a.Text || column.Type == Money
	switch {
	case column.Type == Int && a.Operation != Average:
		return numberSchema(0, asText, column.Nullable)
	case a.Decimals >= 0:
		return numberSchema(a.Decimals, asText, column.Nullable)
	}
	return column.schema(asText)
}

// numberSchema returns the schema of a number with some decimals, or of its text.
func numberSchema(decimals int, asText, nullable bool) *Schema {
	var schema Schema
	switch {
	case asText && decimals == 0:
		schema = Schema{Type: []string{"string"}, Pattern: "^-?[0-9]+$"}
	case asText:
		schema = Schema{Type: []string{"string"}, Pattern: fmt.Sprintf(`^-?[0-9]+\.[0-9]{%d}$`, decimals)}
	case decimals == 0:
		schema = Schema{Type: []string{"integer"}}
	default:
		schema = Schema{Type: []string{"number"}}
	}
	if nullable {
		schema.Type = append(schema.Type, "null")
	}
	return &schema
}

func (c *Column) schema(text bool) *Schema {
	var one Schema
	switch {
	case c.Type == Int && !text:
		one.Type = []string{"integer"}
	case c.Type == Flag:
		one.Type = []string{"boolean"}
	case c.Type == Decimal && !text:
		one.Type = []string{"number"}
	case c.Type == JSON && !text:
		one.Type = []string{"array", "boolean", "null", "number", "object", "string"}
		return &one
	case c.Type == Date:
		one.Type, one.Format = []string{"string"}, "date"
	case c.Type == Time:
		one.Type, one.Format = []string{"string"}, "date-time"
	case c.Type == Money:
		one.Type, one.Pattern = []string{"string"}, moneyPattern
	default:
		one.Type = []string{"string"}
	}
	if c.Nullable {
		one.Type = append(one.Type, "null")
	}
	return &one
}

// Published returns the endpoints in the form in which the version row stores them.
func (s *Shape) Published() []sql.Endpoint {
	endpoints := make([]sql.Endpoint, len(s.Endpoints))
	for i, e := range s.Endpoints {
		schema, err := json.Marshal(s.Schema(&e))
		if err != nil {
			panic("BUG: encode a schema as JSON: " + err.Error())
		}
		endpoints[i] = sql.Endpoint{Name: e.Name, Path: e.Path, List: e.List, IDParts: s.IDParts(), Schema: string(schema)}
	}
	return endpoints
}
