package shape

import (
	"maps"
	"regexp"
	"slices"
)

// isoFormats are the formats of the schema's strings.
var isoFormats = map[string]string{"date": "%Y-%m-%d", "date-time": "%Y-%m-%dT%H:%M:%S.%f%z"}

// constantSchema returns the schema of a value that is in every document.
func constantSchema(value any) *Schema {
	s := &Schema{}
	s.admit(value)
	s.requireAll()
	return s
}

// requireAll makes all fields of an object, and of the objects in it, required.
func (s *Schema) requireAll() {
	s.Required = slices.Sorted(maps.Keys(s.Properties))
	for _, field := range s.Properties {
		field.requireAll()
	}
}

// merge extends s so that the values of another schema are valid.
func (s *Schema) merge(other *Schema) {
	bothObjects := slices.Contains(s.Type, "object") && slices.Contains(other.Type, "object")
	bothStrings := slices.Contains(s.Type, "string") && slices.Contains(other.Type, "string")
	switch {
	case bothStrings && (s.Pattern != other.Pattern || s.Format != other.Format):
		s.Pattern, s.Format = "", ""
	case !bothStrings && s.Pattern == "" && s.Format == "":
		s.Pattern, s.Format = other.Pattern, other.Format
	}
	switch {
	case bothObjects:
		s.Required = slices.DeleteFunc(s.Required, func(name string) bool { return !slices.Contains(other.Required, name) })
	case len(other.Required) > 0:
		s.Required = other.Required
	}
	for _, kind := range other.Type {
		if !slices.Contains(s.Type, kind) {
			s.Type = append(s.Type, kind)
		}
	}
	s.Items = merged(s.Items, other.Items)
	s.Keyed = merged(s.Keyed, other.Keyed)
	for name, field := range other.Properties {
		if s.Properties == nil {
			s.Properties = map[string]*Schema{}
		}
		s.Properties[name] = merged(s.Properties[name], field)
	}
}

func merged(a, b *Schema) *Schema {
	switch {
	case a == nil:
		return b
	case b != nil:
		a.merge(b)
	}
	return a
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

// admitText removes the pattern or the format if a text does not match it.
func (s *Schema) admitText(text string) {
	if s.Format != "" {
		if _, ok := mustCompile(isoFormats[s.Format]).AppendTime(nil, []byte(text)); !ok {
			s.Format = ""
		}
	}
	if s.Pattern != "" && !regexp.MustCompile(s.Pattern).MatchString(text) {
		s.Pattern = ""
	}
}
