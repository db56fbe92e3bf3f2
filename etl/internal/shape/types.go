package shape

import "strings"

// Type is the type of a column's values.
type Type uint8

// The types, with their form in the CSV file and in a document.
const (
	Int     Type = iota // a 64-bit integer; a JSON number
	Money               // an amount with at most two decimals; a JSON string with exactly two
	Text                // any text; a JSON string
	Flag                // a word for true or false, such as 1, t, yes or true; a JSON boolean
	Decimal             // a number with any decimals; a JSON number with the same digits
	Date                // a date in a declared format; a JSON string such as 2024-01-31
	Time                // a date and time in a declared format; a JSON string such as 2024-01-31T10:11:12Z
	JSON                // JSON; itself, without white space between its parts
)

// types are the names of the types in a shape file, and words for messages.
var types = [...]struct{ name, noun, example string }{
	Int:     {"int", "a whole number", "a number such as 7"},
	Money:   {"money", "an amount with at most two decimals", "an amount such as 4.50"},
	Text:    {"text", "a text", "a text"},
	Flag:    {"flag", "a flag", "true or false"},
	Decimal: {"decimal", "a decimal number", "a number such as 4.5"},
	Date:    {"date", "a date in the form of ISO 8601", "a date such as 2024-01-31"},
	Time:    {"time", "a time in the form of ISO 8601", "a time such as 2024-01-31T10:11:12Z"},
	JSON:    {"json", "JSON", "null"},
}

// String returns the name of the type in a shape file.
func (t Type) String() string { return types[t].name }

// IsNumber reports whether values are compared as numbers.
func (t Type) IsNumber() bool { return t == Int || t == Money || t == Decimal }

// hasOrder reports whether one value can be less than another.
func (t Type) hasOrder() bool { return t != JSON }

// IsBare reports whether a document contains the canonical form as it is, without quotes.
func (t Type) IsBare() bool { return t == Int || t == Flag || t == Decimal || t == JSON }

func (t Type) noun() string    { return types[t].noun }
func (t Type) example() string { return types[t].example }

// typeNamed returns the type with a name.
func typeNamed(name string) (Type, bool) {
	for t := range types {
		if types[t].name == name {
			return Type(t), true
		}
	}
	return 0, false
}

// typeList is the list of the types, for messages.
func typeList() string {
	names := make([]string, len(types)-1)
	for i := range names {
		names[i] = types[i].name
	}
	return strings.Join(names, ", ") + " and " + types[len(types)-1].name
}

// ParseFlag returns the flag that a text means, in any case of the letters.
func ParseFlag[T string | []byte](text T) (set, ok bool) {
	var lower [len("false")]byte
	if len(text) > len(lower) {
		return false, false
	}
	for i := range len(text) {
		c := text[i]
		if c-'A' < 26 {
			c += 'a' - 'A'
		}
		lower[i] = c
	}
	switch string(lower[:len(text)]) {
	case "1", "true", "t", "yes", "y":
		return true, true
	case "0", "false", "f", "no", "n":
		return false, true
	}
	return false, false
}
