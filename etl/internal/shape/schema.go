package shape

import (
	"fmt"
	"maps"
	"slices"
	"strings"
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
