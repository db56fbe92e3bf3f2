package inspect

import (
	"regexp"
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

// identifier is a name of several words, such as product_id and productId.
var identifier = regexp.MustCompile(`^[A-Za-z][a-z0-9]*([_.][A-Za-z0-9]+)+$|^[A-Za-z][a-z0-9]+([A-Z][a-z0-9]+)+$`)

// isHeader reports whether the first record is a header: a name where the other rows have numbers, or only names. It is sure unless all
// columns have texts, which hardly differ from names.
func (t *table) isHeader(first []csvscan.Field) (header, sure bool) {
	typed := false
	for i, c := range t.columns {
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
		evidence += t.columns[i].nameEvidence(name)
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

// mostTextured is the number of values of a column whose letters are looked at, and fewTextured that from which on they show something.
const (
	mostTextured = 1000
	fewTextured  = 4
)

// Classes of letters, as bits.
const (
	upper = 1 << iota
	lower
	digit
	space
	mark
	foreign
)

// texture is what the first values of a column have in common as texts.
type texture struct {
	values, identifiers int
	shortest, longest   int // in bytes
	some, all           int // classes that are in some value, and in all
}

func classes(text string) (found int) {
	for _, b := range []byte(text) {
		switch {
		case b >= 'A' && b <= 'Z':
			found |= upper
		case b >= 'a' && b <= 'z':
			found |= lower
		case b >= '0' && b <= '9':
			found |= digit
		case b == ' ':
			found |= space
		case b < 0x80:
			found |= mark
		default:
			found |= foreign
		}
	}
	return found
}

func (x *texture) observe(text []byte) {
	if len(text) == 0 || x.values == mostTextured {
		return
	}
	found := classes(string(text))
	if x.values++; x.values == 1 {
		x.shortest, x.all = len(text), found
	}
	x.shortest, x.longest = min(x.shortest, len(text)), max(x.longest, len(text))
	x.some, x.all = x.some|found, x.all&found
	if identifier.Match(text) {
		x.identifiers++
	}
}

// compare returns evidence for nameEvidence: whether a text has what all values have, and nothing else.
func (x *texture) compare(text string) int {
	found := classes(text)
	switch {
	case x.values < fewTextured:
		return 0
	case found&^x.some != 0 || x.all&^found != 0:
		return 1
	case x.shortest == x.longest && len(text) == x.longest, x.all&(digit|mark) != 0:
		return -2
	}
	return 0
}
