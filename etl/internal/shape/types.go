package shape

// Type is the type of a column's values.
type Type uint8

// The types, with their form in the CSV file and in a document.
const (
	Int   Type = iota // a 64-bit integer; a JSON number
	Money             // an amount with at most two decimals; a JSON string with exactly two
	Text              // any text; a JSON string
	Flag              // 0 or 1, false or true; a JSON boolean
)

// typeNames are the names of the types in a shape file, by Type.
var types = [...]struct{ name, noun, example string }{
	Int:   {"int", "a whole number", "a number such as 7"},
	Money: {"money", "an amount with at most two decimals", "an amount such as 4.50"},
	Text:  {"text", "a text", "a text"},
	Flag:  {"flag", "a flag", "true or false"},
}

// String returns the name of the type in a shape file.
func (t Type) String() string { return types[t].name }

// IsNumber reports whether values are compared as numbers.
func (t Type) IsNumber() bool { return t == Int || t == Money }

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
