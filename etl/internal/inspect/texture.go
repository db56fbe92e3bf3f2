package inspect

import "regexp"

// identifier is a name of several words, such as product_id and productId.
var identifier = regexp.MustCompile(`^[A-Za-z][a-z0-9]*([_.][A-Za-z0-9]+)+$|^[A-Za-z][a-z0-9]+([A-Z][a-z0-9]+)+$`)

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
