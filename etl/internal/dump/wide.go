package dump

import (
	"fmt"

	"systemscale/etl/internal/shape"
)

// WarnOfWide warns of every field of a document that has, as a JSON number, an int beyond 2^53 - 1: clients in JavaScript round it, so
// that two ids may become one.
func (d *Dump) WarnOfWide() {
	for source, reader := range d.readers {
		for _, wide := range reader.Wide() {
			column := d.spec.Sources[source].Columns[wide.Column].Name
			file, line := d.Place(source, wide.Line)
			where := fmt.Sprintf("%s:%d", file, line)
			for i := range d.spec.Endpoints {
				document := &d.spec.Endpoints[i]
				for _, field := range numberFields(d.spec, document.Body, "", 0, source, wide.Column) {
					d.options.Logger.Warn("clients in JavaScript round numbers beyond 2^53 - 1: write this one as text in the shape file",
						"document", document.Name, "field", field,
						"where", where, "value", wide.Value, "rows", wide.Rows,
						"remedy", fmt.Sprintf("{text: %s}", column))
				}
			}
		}
	}
}

// numberFields returns the fields of a body that show a column of a source as a number. The body belongs to a row of the source of.
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
	case shape.Array:
		for i, element := range body.Elements {
			fields = append(fields, numberFields(spec, element, fmt.Sprintf("%s[%d]", path, i), of, source, column)...)
		}
	case shape.Aggregate:
		isNumber := body.Operation == shape.Sum || body.Operation == shape.Min || body.Operation == shape.Max
		if isNumber && !body.Text && shows(spec, body.Last(), body.Column, source, column) {
			return []string{path}
		}
	case shape.One:
		return numberFields(spec, body.As, path, body.Source, source, column)
	case shape.Each:
		at := path + "[]"
		if body.Keyed >= 0 {
			at = path + ".*"
		}
		return numberFields(spec, body.As, at, body.Source, source, column)
	case shape.Value:
		if !body.Text && shows(spec, of, body.Column, source, column) {
			return []string{path}
		}
	case shape.LookedUp:
		table := &spec.Tables[spec.Sources[of].Lookups[body.Lookup].Table]
		return numberFields(spec, table.Body, path, table.Source, source, column)
	}
	return fields
}

// shows reports whether a column of the source of has the values of another column.
func shows(spec *shape.Shape, of, shown, source, column int) bool {
	if of == source && shown == column {
		return true
	}
	for _, l := range spec.Sources[of].Lookups {
		if l.Column == shown {
			table := &spec.Tables[l.Table]
			return shows(spec, table.Source, table.Column, source, column)
		}
	}
	return false
}
