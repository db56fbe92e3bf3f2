package plan

import (
	"bytes"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"unicode/utf8"

	"github.com/goccy/go-json"
)

// Limits of the differences of a document.
const (
	maxFields = 8   // fields
	maxValue  = 120 // bytes of a value
)

// FieldChange is a field in which two versions of a document differ. Old and New are JSON, truncated to 120 bytes, and empty if the version
// lacks the field.
type FieldChange struct {
	Path string `json:"path"` // such as results[0].sale_price
	Old  string `json:"old,omitempty"`
	New  string `json:"new,omitempty"`
}

// differences returns the first maxFields fields in which two JSON documents differ, in the order of their names, and the number of all
// that differ.
func differences(before, after []byte) (fields []FieldChange, all int, err error) {
	var old, current any
	if err := decode(before, &old); err != nil {
		return nil, 0, err
	}
	if err := decode(after, &current); err != nil {
		return nil, 0, err
	}
	d := differ{}
	d.walk("", old, current)
	return d.fields, d.all, d.err
}

func decode(text []byte, into *any) error {
	decoder := json.NewDecoder(bytes.NewReader(text))
	decoder.UseNumber() // an id may not fit a float64
	if err := decoder.Decode(into); err != nil {
		return fmt.Errorf("decode a document for its differences: %w", err)
	}
	return nil
}

type differ struct {
	fields []FieldChange
	all    int
	err    error
}

// absent is the value of a field that one version does not have.
type absent struct{}

func (d *differ) walk(path string, old, current any) {
	switch before := old.(type) {
	case map[string]any:
		if after, ok := current.(map[string]any); ok {
			d.objects(path, before, after)
			return
		}
	case []any:
		if after, ok := current.([]any); ok {
			d.arrays(path, before, after)
			return
		}
	default:
		if _, object := current.(map[string]any); object {
			break
		}
		if _, array := current.([]any); array {
			break
		}
		if old == current {
			return
		}
	}
	d.all++
	if len(d.fields) < maxFields {
		d.fields = append(d.fields, FieldChange{Path: path, Old: d.show(old), New: d.show(current)})
	}
}

func (d *differ) objects(path string, before, after map[string]any) {
	names := slices.Collect(maps.Keys(before))
	for name := range after {
		if _, both := before[name]; !both {
			names = append(names, name)
		}
	}
	slices.Sort(names)
	for _, name := range names {
		at := name
		if path != "" {
			at = path + "." + name
		}
		d.walk(at, member(before, name), member(after, name))
	}
}

func member(object map[string]any, name string) any {
	if value, ok := object[name]; ok {
		return value
	}
	return absent{}
}

func (d *differ) arrays(path string, before, after []any) {
	for i := range max(len(before), len(after)) {
		d.walk(path+"["+strconv.Itoa(i)+"]", element(before, i), element(after, i))
	}
}

func element(array []any, i int) any {
	if i < len(array) {
		return array[i]
	}
	return absent{}
}

func (d *differ) show(value any) string {
	if value == (absent{}) {
		return ""
	}
	text, err := json.MarshalWithOption(value, json.DisableHTMLEscape())
	if err != nil {
		d.err = err
		return ""
	}
	if len(text) <= maxValue {
		return string(text)
	}
	cut := maxValue
	for cut > 0 && !utf8.RuneStart(text[cut]) {
		cut--
	}
	return string(text[:cut]) + "…"
}
