package source

import (
	"slices"
	"strconv"
	"strings"
	"unsafe"

	"systemscale/etl/internal/extsort"
	"systemscale/etl/internal/shape"
	"systemscale/sql"
)

// Keys are the keys of the rows of a Rows, as ints or in the form of their encoding.
type Keys[K int64 | string] struct {
	rows       *Rows
	own        *[]K
	parent     *[]K
	references []*[]K
}

// IntKeys returns the keys of rows whose form is shape.IntKeys.
func (r *Rows) IntKeys() Keys[int64] {
	return Keys[int64]{rows: r, own: &r.keys, parent: &r.parentKeys}
}

// TextKeys returns the keys of rows with any other form.
func (r *Rows) TextKeys() Keys[string] {
	keys := Keys[string]{rows: r, own: &r.texts.own, parent: &r.texts.parent}
	for i := range r.texts.references {
		keys.references = append(keys.references, &r.texts.references[i])
	}
	return keys
}

// All returns the keys of the rows.
func (k *Keys[K]) All() []K { return (*k.own)[k.rows.first:k.rows.end] }

// Last returns the key of the last row.
func (k *Keys[K]) Last() K { return (*k.own)[k.rows.end-1] }

// LastParent returns the parent's key of the last row. It is meaningless for the root source.
func (k *Keys[K]) LastParent() K { return (*k.parent)[k.rows.end-1] }

// References returns the values of the rows in the columns of one of the source's References; of a row with a null in them, the zero value.
func (k *Keys[K]) References(reference int) []K {
	return (*k.references[reference])[k.rows.first:k.rows.end]
}

// LastReference returns the last of References.
func (k *Keys[K]) LastReference(reference int) K { return (*k.references[reference])[k.rows.end-1] }

// planKeys plans the encoding of the keys, unless they are ints. The columns that are not rendered get cells after all others.
func (r *Reader) planKeys() {
	if r.spec.KeyForm == shape.IntKeys {
		return
	}
	r.first = r.rows.width
	plan := func(columns shape.Indices) (parts []keyPart) {
		for _, column := range columns {
			if !slices.Contains(r.spec.Rendered, column) && !slices.Contains(r.hidden, column) {
				r.hidden = append(r.hidden, column)
			}
			parts = append(parts, keyPart{column, r.placeOf(column), r.spec.Columns[column].Type})
		}
		return parts
	}
	r.keys = &keyParts{own: plan(r.spec.Key), parent: plan(r.spec.ParentKey)}
	r.keys.ownText, r.keys.parentText = textPlace(r.keys.own, r.spec.KeyForm), textPlace(r.keys.parent, r.spec.ParentForm)
	for _, columns := range r.spec.References {
		r.keys.references = append(r.keys.references, plan(columns))
	}
	r.rows.width += len(r.hidden)
	r.rows.texts = &textKeys{references: make([][]string, len(r.spec.References))}
}

// textPlace returns the index of the cell of a key that is encoded as it is, or -1.
func textPlace(parts []keyPart, form shape.KeyForm) int {
	if len(parts) == 1 && parts[0].kind == shape.Text && form == shape.EncodedKeys {
		return parts[0].place
	}
	return -1
}

// placeOf returns the index of the cell of a column, or -1.
func (r *Reader) placeOf(column int) int {
	place := slices.Index(r.spec.Rendered, column)
	if at := slices.Index(r.hidden, column); at >= 0 {
		place = r.first + at
	}
	return place
}

// encodeKeys encodes the keys of the row after the last one, whose cells are complete. It returns the reason why the row cannot be used,
// and the column.
func (r *Reader) encodeKeys() (reason Reason, column int) {
	texts, row := r.rows.texts, r.rows.ahead
	cells := r.rows.cells[row*r.rows.width:]
	own := ""
	if place := r.keys.ownText; place >= 0 {
		own = texts.copy(r.rows.Text(&cells[place]))
	}
	if own == "" {
		if own, reason, column = r.encode(r.keys.own, r.spec.KeyForm, ""); reason != "" {
			return reason, column
		}
	}
	last := "" // most rows have the parent of the row before
	if row > 0 {
		last = texts.parent[row-1]
	}
	if place := r.keys.parentText; place < 0 || string(r.rows.Text(&cells[place])) != last || last == "" {
		if last, reason, column = r.encode(r.keys.parent, r.spec.ParentForm, last); reason != "" {
			return reason, column
		}
	}
	texts.own[row], texts.parent[row] = own, last
	for i, parts := range r.keys.references {
		texts.references[i][row], _, _ = r.encode(parts, shape.EncodedKeys, "") // empty if no child can have the value
	}
	return "", -1
}

// encode returns a key of the row after the last one. If it is equal to the last key, it returns that.
func (r *Reader) encode(parts []keyPart, form shape.KeyForm, last string) (key string, reason Reason, column int) {
	texts, rows := r.rows.texts, &r.rows
	cells := rows.cells[rows.ahead*rows.width:]
	if len(parts) == 1 && parts[0].kind == shape.Text {
		if key = r.textKey(&cells[parts[0].place], form, last); key != "" {
			return key, "", -1
		}
	}
	size := 0
	for i := range parts {
		cell := &cells[parts[i].place]
		if cell.Null {
			return "", NullValue, parts[i].column
		}
		size += 3*int(cell.length) + 1 + extsort.IntSize
	}
	texts.reserve(size)
	from := len(texts.chunk)
	for i := range parts {
		part := &parts[i]
		if i > 0 && form == shape.IDKeys {
			texts.chunk = append(texts.chunk, '/')
		}
		text := rows.Text(&cells[part.place])
		var ok bool
		if texts.chunk, ok = AppendKeyPart(texts.chunk, part.kind, text, form, i, len(parts)); !ok {
			texts.chunk = texts.chunk[:from]
			return "", KeyLength, part.column
		}
	}
	text := texts.chunk[from:]
	if string(text) == last {
		texts.chunk = texts.chunk[:from]
		return last, "", -1
	}
	if form == shape.IDKeys && sql.CheckID(text, len(parts), r.spec.IDPaths...) != nil {
		texts.chunk = texts.chunk[:from]
		return "", NoID, parts[0].column
	}
	return unsafe.String(unsafe.SliceData(text), len(text)), "", -1
}

// textKey returns a key of one column of text, or "" if encode does not accept it.
func (r *Reader) textKey(cell *Cell, form shape.KeyForm, last string) string {
	text, texts := r.rows.Text(cell), r.rows.texts
	switch {
	case string(text) == last:
		return last
	case len(text) == 0 || len(text) > maxKeyText || form == shape.IDKeys && sql.CheckID(text, 1, r.spec.IDPaths...) != nil:
		return ""
	case cap(texts.chunk)-len(texts.chunk) < len(text):
		texts.reserve(len(text))
	}
	from := len(texts.chunk)
	texts.chunk = append(texts.chunk, text...)
	return unsafe.String(&texts.chunk[from], len(text))
}

// AppendKeyPart appends a value to a key, at an index of count columns. It returns false if no key can contain
// the value. In the order of bytes, encoded keys have the order of their values: an int is eight bytes, and a text that is not the last
// column ends with a zero, which no text contains.
func AppendKeyPart(dst []byte, kind shape.Type, text []byte, form shape.KeyForm, at, count int) ([]byte, bool) {
	switch {
	case kind == shape.Int && form == shape.EncodedKeys:
		n, _ := parseInt(text)
		return extsort.AppendInt(dst, n), true
	case kind == shape.Int:
		n, _ := parseInt(text)
		return strconv.AppendInt(dst, n, 10), true
	case len(text) == 0 || len(text) > maxKeyText:
		return dst, false
	case form == shape.EncodedKeys:
		dst = append(dst, text...)
		if at+1 < count {
			dst = append(dst, 0)
		}
		return dst, true
	case count == 1:
		return append(dst, text...), true
	}
	return sql.AppendIDPart(dst, text), true
}

// id returns the item's id of a row of the root source.
func (r *Rows) id(row int, form shape.KeyForm) sql.ID {
	switch form {
	case shape.IntKeys:
		return sql.IntID(r.keys[row])
	case shape.EncodedKeys:
		return sql.IntID(extsort.Int([]byte(r.texts.own[row])))
	}
	return sql.TextID(strings.Clone(r.texts.own[row])) // the clone does not keep a chunk in memory
}

// ID returns the item's id of the first row, of the root source.
func (r *Reader) ID() sql.ID { return r.rows.id(r.rows.first, r.spec.KeyForm) }

// LastID returns the item's id of the last row, of the root source.
func (r *Reader) LastID() sql.ID { return r.rows.id(r.rows.end-1, r.spec.KeyForm) }

// ShowKey returns the values of an encoded key of some columns.
func ShowKey(spec *shape.Source, columns shape.Indices, form shape.KeyForm, key string) string {
	if form == shape.IDKeys {
		return key
	}
	var values []string
	for _, column := range columns {
		if spec.Columns[column].Type == shape.Int && len(key) >= extsort.IntSize {
			values = append(values, strconv.FormatInt(extsort.Int([]byte(key)), 10))
			key = key[extsort.IntSize:]
			continue
		}
		var text string
		text, key, _ = strings.Cut(key, "\x00")
		values = append(values, text)
	}
	return strings.Join(values, ", ")
}
