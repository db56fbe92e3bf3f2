package command

import (
	"fmt"

	"systemscale/etl/internal/shape"
)

// warnOfWide warns of every field of a document that shows, as a JSON number, ints beyond 2^53 - 1: clients in JavaScript round them, and take
// one for another.
func (in *input) warnOfWide() {
	for source, reader := range in.readers {
		for _, wide := range reader.Wide() {
			column := in.spec.Sources[source].Columns[wide.Column].Name
			for i := range in.spec.Endpoints {
				d := &in.spec.Endpoints[i]
				for _, field := range numberFields(in.spec, d.Body, "", 0, source, wide.Column) {
					in.say.Warn("clients in JavaScript round numbers beyond 2^53 - 1: write this one as text in the shape file",
						"document", d.Name, "field", field, "where", fmt.Sprintf("%s:%d", in.files[source].name(), wide.Line), "value", wide.Value,
						"rows", wide.Rows, "remedy", fmt.Sprintf("{text: %s}", column))
				}
			}
		}
	}
}

// numberFields returns the fields of a body, which is in a row of the source of, that show a column of a source as a number.
func numberFields(spec *shape.Shape, body shape.Node, path string, of, source, column int) (fields []string) {
	switch body := body.(type) {
	case shape.Object:
		for _, member := range body.Fields {
			at := member.Name
			if path != "" {
				at = path + "." + at
			}
			fields = append(fields, numberFields(spec, member.Body, at, of, source, column)...)
		}
	case shape.Each:
		at := path + "[]"
		if body.Keyed >= 0 {
			at = path + ".*"
		}
		return numberFields(spec, body.As, at, body.Source, source, column)
	case shape.Value:
		if of == source && body.Column == column && !body.Text {
			return []string{path}
		}
	}
	return fields
}
