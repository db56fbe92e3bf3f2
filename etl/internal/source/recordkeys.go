package source

import (
	"bytes"
	"slices"

	"systemscale/etl/internal/csvscan"
	"systemscale/etl/internal/shape"
)

// RecordKeys encodes the keys of records whose rows are not read. The encoding is that of the rows, or shape.EncodedKeys if that is
// shape.IntKeys.
type RecordKeys struct {
	spec       *shape.Source
	width      int
	own        []recordPart
	parent     []recordPart
	references [][]recordPart
}

// recordPart is a column of a key.
type recordPart struct {
	field   int // -1 if the header lacks it
	kind    shape.Type
	nulls   [][]byte
	numbers *notation // nil for the plain one
	repairs []*shape.Repair
}

// NewRecordKeys returns a RecordKeys for the records of a file with these columns.
func NewRecordKeys(spec *shape.Source, dialect *shape.Dialect, header []string) *RecordKeys {
	k := &RecordKeys{spec: spec, width: len(header)}
	plan := func(columns shape.Indices) (parts []recordPart) {
		for _, column := range columns {
			declared := &spec.Columns[column]
			part := recordPart{
				field: slices.Index(header, declared.Name), kind: declared.Type,
				numbers: newNotation(dialect.NumbersOf(declared), declared.Type),
			}
			for _, word := range dialect.NullWords(declared) {
				part.nulls = append(part.nulls, []byte(word))
			}
			for i := range spec.Repairs {
				if spec.Repairs[i].Column == column {
					part.repairs = append(part.repairs, &spec.Repairs[i])
				}
			}
			parts = append(parts, part)
		}
		return parts
	}
	k.own, k.parent = plan(spec.Key), plan(spec.ParentKey)
	for _, columns := range spec.References {
		k.references = append(k.references, plan(columns))
	}
	return k
}

// Width returns the number of fields of the header.
func (k *RecordKeys) Width() int { return k.width }

// IntFields returns the fields of a sound record that are ints in the plain notation: those of the keys, except for nullable ones.
func (k *RecordKeys) IntFields() (fields []int) {
	for i, columns := range [...]shape.Indices{k.spec.Key, k.spec.ParentKey} {
		for at, column := range columns {
			part := &[...][]recordPart{k.own, k.parent}[i][at]
			if c := &k.spec.Columns[column]; c.Type == shape.Int && !c.Nullable && part.numbers == nil {
				fields = append(fields, part.field)
			}
		}
	}
	return fields
}

// Own replaces key by the key of a record. It returns false, and leaves key, if the record has none that can be read.
func (k *RecordKeys) Own(key []byte, fields []csvscan.Field) ([]byte, bool) {
	return appendKey(key, k.own, k.spec.KeyForm, fields)
}

// Parent replaces key by the parent's key of a record, as Own does.
func (k *RecordKeys) Parent(key []byte, fields []csvscan.Field) ([]byte, bool) {
	return appendKey(key, k.parent, k.spec.ParentForm, fields)
}

// Reference replaces key by the value of one of the source's References, as Own does.
func (k *RecordKeys) Reference(reference int, key []byte, fields []csvscan.Field) ([]byte, bool) {
	return appendKey(key, k.references[reference], shape.EncodedKeys, fields)
}

func appendKey(key []byte, parts []recordPart, form shape.KeyForm, fields []csvscan.Field) ([]byte, bool) {
	if form == shape.IntKeys {
		form = shape.EncodedKeys
	}
	end := len(key)
	encoded, ok := key, len(parts) > 0
	for i := range parts {
		part := &parts[i]
		if part.field < 0 || part.field >= len(fields) {
			ok = false
			break
		}
		if i > 0 && form == shape.IDKeys {
			encoded = append(encoded, '/')
		}
		text, sound := part.text(&fields[part.field])
		if ok = sound; !ok {
			break
		}
		if encoded, ok = AppendKeyPart(encoded, part.kind, text, form, i, len(parts)); !ok {
			break
		}
	}
	if !ok {
		return encoded[:end], false
	}
	return encoded[:copy(encoded, encoded[end:])], true
}

// text returns the text of a field after its repairs. ok is false for null and for a value of another type.
func (p *recordPart) text(field *csvscan.Field) (text []byte, ok bool) {
	text = field.Text
	for _, repair := range p.repairs {
		if rest, found := bytes.CutPrefix(text, []byte(repair.Prefix)); found {
			text = append([]byte(repair.With), rest...)
		}
	}
	if isNull(p.nulls, &csvscan.Field{Text: text, Quoted: field.Quoted}) {
		return nil, false
	}
	if p.kind == shape.Int {
		if p.numbers != nil {
			if text, ok = p.numbers.plain(text); !ok {
				return nil, false
			}
		}
		_, ok = parseInt(text)
		return text, ok
	}
	return text, field.Damage == csvscan.Sound
}
