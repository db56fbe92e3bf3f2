package inspect

import (
	"slices"
	"strings"
	"unicode"

	"github.com/dustin/go-humanize"
	"github.com/dustin/go-humanize/english"

	"systemscale/sql/printable"
)

// Words in the names of columns.
var (
	idNames = []string{
		"id", "ids", "key", "code", "uuid", "guid", "handle", "slug", "sku", "isbn", "number", "no", "num", "nr", "ref", "fk", "pk",
	}
	aboveNames = []string{"parent", "boss", "manager", "supervisor", "reports"}
	moneyNames = []string{
		"price", "prices", "cost", "costs", "amount", "fee", "fees", "tax", "salary", "revenue", "budget", "eur", "usd", "gbp", "fare",
		"freight", "total", "subtotal", "balance", "discount", "payment",
	}
	flagNames = []string{
		"is", "has", "can", "default", "active", "enabled", "disabled", "flag", "deleted", "visible", "public", "available", "primary", "allow",
	}
	amountNames = []string{"count", "quantity", "qty", "number", "level", "rank", "stars", "rating", "score", "seq", "position", "stock"}
)

// commonKeys are names of keys that do not say of which file.
var commonKeys = []string{"id", "key", "code", "no", "number", "name", "title", "slug", "uuid"}

// words splits a name into lower-case words: productId, product_id and Product ID have two.
func words(name string) []string {
	var found []string
	var word strings.Builder
	end := func() {
		if word.Len() > 0 {
			found = append(found, strings.ToLower(word.String()))
			word.Reset()
		}
	}
	letters := []rune(name)
	for i, r := range letters {
		switch {
		case !unicode.IsLetter(r) && !unicode.IsDigit(r):
			end()
			continue
		case i > 0 && unicode.IsUpper(r) && (unicode.IsLower(letters[i-1]) || unicode.IsDigit(letters[i-1])),
			i > 0 && i+1 < len(letters) && unicode.IsUpper(r) && unicode.IsUpper(letters[i-1]) && unicode.IsLower(letters[i+1]):
			end()
		}
		word.WriteRune(r)
	}
	end()
	return found
}

// named reports whether one of the words of a name is in a list.
func named(name string, list []string) bool {
	return slices.ContainsFunc(words(name), func(word string) bool { return slices.Contains(list, word) })
}

// sameNoun reports whether two words are the same but for a plural.
func sameNoun(a, b string) bool {
	return a == b || english.PluralWord(2, a, "") == b || english.PluralWord(2, b, "") == a
}

// sameNouns reports whether two names are the same but for the plural of their last word.
func sameNouns(a, b []string) bool {
	last := len(a) - 1
	return last >= 0 && len(b) == len(a) && slices.Equal(a[:last], b[:last]) && sameNoun(a[last], b[last])
}

// isPlural reports whether a word is the plural of an English noun, nearly always.
func isPlural(word string) bool {
	others := []string{"people", "children", "data", "media"}
	return strings.HasSuffix(word, "s") && !strings.HasSuffix(word, "ss") || slices.Contains(others, word)
}

// noun returns the words of a name without those such as id at the end.
func noun(name string) []string {
	found := words(name)
	for len(found) > 1 && slices.Contains(idNames, found[len(found)-1]) {
		found = found[:len(found)-1]
	}
	return found
}

// likeness is how much the name of a column says that it refers to a key of a file.
type likeness int

const (
	unlike likeness = iota
	alike           // a part of the name, as in cat_id and current_product_id
	same            // the file's name, or the key's
)

// alikeNames compares the name of a column with the names of a file and its key.
func alikeNames(column, file, key string) likeness {
	own, table, k := noun(column), noun(file), words(key)
	switch {
	case len(k) > 0 && slices.Equal(k, words(column)) && (len(k) > 1 || !slices.Contains(commonKeys, k[0])):
		return same
	case len(own) == 0 || len(table) == 0 || len(own) == 1 && slices.Contains(idNames, own[0]):
		return unlike
	case sameNouns(own, table), sameNoun(strings.Join(own, ""), strings.Join(table, "")):
		return same
	case len(own) > len(table) && sameNouns(own[len(own)-len(table):], table),
		len(table) > len(own) && sameNouns(table[len(table)-len(own):], own),
		len(own[0]) >= 3 && strings.HasPrefix(strings.Join(table, ""), strings.Join(own, "")):
		return alike
	}
	return unlike
}

// plainName returns a name of lower-case letters, digits and underscores.
func plainName(name, otherwise string) string {
	var b strings.Builder
	for _, r := range strings.ToLower(name) {
		if r >= 'a' && r <= 'z' || r >= '0' && r <= '9' {
			b.WriteRune(r)
		} else if b.Len() > 0 && !strings.HasSuffix(b.String(), "_") {
			b.WriteByte('_')
		}
	}
	plain := strings.Trim(b.String(), "_")
	if plain == "" || plain[0] < 'a' {
		plain = strings.TrimSuffix(otherwise+"_"+plain, "_")
	}
	return plain
}

func comma(n int64) string { return humanize.Comma(n) }

func count(n int64, noun string) string { return comma(n) + " " + english.PluralWord(int(n), noun, "") }

// show returns a text for a comment.
func show(text string) string { return `"` + printable.Text(strings.ToValidUTF8(text, "?")) + `"` }
