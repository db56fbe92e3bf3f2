package shape

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/goccy/go-json"

	"systemscale/sql"
)

// Schema is the JSON Schema (2020-12) of documents. It has only the keywords that documents need.
type Schema struct {
	Type       []string           `json:"type"`                 // some of string, integer, number, boolean, null, object and array
	Pattern    string             `json:"pattern,omitempty"`    // for strings
	Format     string             `json:"format,omitempty"`     // for strings: date or date-time
	Items      *Schema            `json:"items,omitempty"`      // for arrays; nil if the array is always empty
	Properties map[string]*Schema `json:"properties,omitempty"` // for objects with fixed fields
	Required   []string           `json:"required,omitempty"`   // fields that are always present, sorted
	Keyed      *Schema            `json:"additionalProperties,omitempty"`
}

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
	if !l.Required || of.Columns[l.By].Nullable {
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

// admit extends s so that value is valid.
func (s *Schema) admit(value any) {
	kind, fields, elements := "", map[string]any{}, []any{}
	switch value := value.(type) {
	case nil:
		kind = "null"
	case bool:
		kind = "boolean"
	case string:
		kind = "string"
		s.admitText(value)
	case float64:
		kind = "number"
		if value == float64(int64(value)) {
			kind = "integer"
		}
	case []any:
		kind, elements = "array", value
	case map[string]any:
		kind, fields = "object", value
	}
	if !slices.Contains(s.Type, kind) {
		s.Type = append(s.Type, kind)
	}
	for _, element := range elements {
		if s.Items == nil {
			s.Items = &Schema{}
		}
		s.Items.admit(element)
	}
	if kind != "object" {
		return
	}
	s.Required = slices.DeleteFunc(s.Required, func(name string) bool { _, there := fields[name]; return !there })
	for name, field := range fields {
		switch known := s.Properties[name]; {
		case known != nil:
			known.admit(field)
		case s.Keyed != nil:
			s.Keyed.admit(field)
		default:
			if s.Properties == nil {
				s.Properties = map[string]*Schema{}
			}
			s.Properties[name] = &Schema{}
			s.Properties[name].admit(field)
		}
	}
}

// BreakingChanges describes the changes from s to next that can break a client: one line per field that was removed or is no longer
// always present, and per value that has a new type. New fields do not break clients.
func (s *Schema) BreakingChanges(next *Schema) []string { return s.breakingChanges(next, "") }

func (s *Schema) breakingChanges(next *Schema, at string) []string {
	var found []string
	add := func(format string, args ...any) {
		where := at
		if where == "" {
			where = "the body"
		}
		found = append(found, where+" "+fmt.Sprintf(format, args...))
	}
	changed := false
	for _, kind := range next.Type {
		switch {
		case slices.Contains(s.Type, kind), kind == "integer" && slices.Contains(s.Type, "number"):
		case kind == "null":
			add("may now be null")
		case !changed:
			changed = true
			add("changed its type from %s to %s", strings.Join(s.Type, " or "), strings.Join(next.Type, " or "))
		}
	}
	if s.Pattern != next.Pattern && s.Pattern != "" && slices.Contains(next.Type, "string") {
		add("no longer matches %s", s.Pattern)
	}
	if s.Format != next.Format && s.Format != "" && slices.Contains(next.Type, "string") {
		add("is no longer a %s", s.Format)
	}
	for _, name := range slices.Sorted(maps.Keys(s.Properties)) {
		path := name
		if at != "" {
			path = at + "." + name
		}
		switch field := next.Properties[name]; {
		case !slices.Contains(next.Type, "object"): // reported above
		case field == nil:
			found = append(found, path+" was removed")
		default:
			if slices.Contains(s.Required, name) && !slices.Contains(next.Required, name) {
				found = append(found, path+" is no longer always present")
			}
			found = append(found, s.Properties[name].breakingChanges(field, path)...)
		}
	}
	if s.Items != nil && next.Items != nil {
		found = append(found, s.Items.breakingChanges(next.Items, at+"[]")...)
	}
	switch {
	case s.Keyed != nil && next.Keyed != nil:
		found = append(found, s.Keyed.breakingChanges(next.Keyed, at+"{}")...)
	case s.Keyed != nil && slices.Contains(next.Type, "object"):
		add("was keyed and now has fixed fields")
	}
	return slices.Compact(found)
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
