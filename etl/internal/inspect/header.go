package inspect

import (
	"slices"

	"systemscale/etl/internal/csvscan"
	"systemscale/etl/internal/shape"
	"systemscale/etl/internal/source"
)

// headerWords are words of names of columns that are rarely values.
var headerWords = []string{
	"address", "author", "brand", "category", "city", "code", "color", "comment", "company", "country", "created", "currency", "date",
	"department", "description", "email", "end", "file", "firstname", "group", "guid", "handle", "icao", "id", "iata", "identifier", "image",
	"isbn", "iso", "key", "kind", "label", "lang", "language", "lastname", "link", "locale", "location", "message", "name", "note", "notes",
	"owner", "parent", "path", "phone", "photo", "price", "product", "ref", "region", "role", "sku", "slug", "source", "state", "status",
	"street", "tag", "tags", "text", "timezone", "title", "type", "updated", "uri", "url", "user", "username", "uuid", "value", "version",
}

// isHeader reports whether the first record is a header: a name where the other rows have numbers, or only names. It is sure unless all
// columns have texts, which hardly differ from names.
func isHeader(columns []*column, first []csvscan.Field) (header, sure bool) {
	typed := false
	for i, c := range columns {
		if c.values == 0 || c.kind == shape.Text {
			continue
		}
		typed = true
		if !source.Fits(c.kind, first[i].Text) && (first[i].Quoted || nullWord(first[i].Text) < 0) {
			return true, true
		}
	}
	if typed {
		return false, true
	}
	var names []string
	evidence := 0
	for i, f := range first {
		name := string(f.Text)
		if name == "" || source.Fits(shape.Money, f.Text) || slices.Contains(names, name) || nullWord(f.Text) >= 0 && !f.Quoted {
			return false, true
		}
		names = append(names, name)
		evidence += columns[i].nameEvidence(name)
	}
	return evidence >= 0, evidence >= 2 || evidence <= -2
}

// nameEvidence is how much the column shows that a field of the first record is its name, if positive, or else one of its values.
func (c *column) nameEvidence(name string) (evidence int) {
	found := words(name)
	known := func(word string) bool { return slices.Contains(headerWords, word) }
	switch {
	case len(found) > 0 && known(found[len(found)-1]) || len(found) > 1 && slices.Contains(idNames, found[len(found)-1]):
		evidence += 3
	case identifier.MatchString(name) && c.texture.identifiers*10 <= c.texture.values:
		evidence += 2
	}
	if c.again > 0 {
		evidence -= 3
	}
	return evidence + c.texture.compare(name)
}
