package inspect

import (
	"bytes"
	"math/bits"
	"slices"
	"strconv"
	"strings"

	"github.com/zeebo/xxh3"

	"systemscale/etl/internal/shape"
	"systemscale/etl/internal/source"
)

// nullWords are the fields without quotes that dumps write for no value. The first ones mean that in a column of any type; the others only
// among values of another type: - and NA may be texts.
var nullWords = []string{"", `\N`, "NULL", "null", "N/A", "n/a", "#N/A", "NA", "NaN", "nan", "None", "none", "nil", "-", "--", "?"}

const (
	emptyWord  = 0
	firstWord  = 1 // of those for any type
	afterWords = 7 // the word after those
)

func nullWord(text []byte) int {
	if len(text) > 4 {
		return -1
	}
	return slices.IndexFunc(nullWords, func(word string) bool { return string(text) == word })
}

// sample is a text with the line where it is first, and how often it comes.
type sample struct {
	text  string
	line  int64
	count int64
}

// most kept of what only a comment, or a small number of values, needs.
const (
	mostOthers = 3
	mostFew    = 33
	mostShown  = 40
)

// column collects what the values of a column show.
type column struct {
	name     string
	values   int64 // not null words, and not damaged
	nulls    []int64
	empty    int64 // empty in quotes
	absent   int64 // rows that end before the column
	jsonNull int64 // null in quotes, which is null in JSON
	ints     int64
	money    int64 // that are not ints
	decimals int64 // that are neither
	padded   int64 // ints with zeros before them
	flags    int64
	words    []string // the different flags
	other    int64    // none of the numbers
	others   []sample // the first different ones
	moreThan bool     // others are not all
	low      int64    // of the ints
	high     int64
	bits     [65]int64 // ints from 0 on, by their length in bits
	longest  int
	example  string // the first value

	texture texture
	above   uint64 // hash of the field in the first record, which may be a header
	again   int64  // other records with it

	few        []uint64 // hashes of the first different values
	spread     spread
	known      *set // nil once a value has come too often
	duplicates int64
	first      sample // the first duplicate

	strange  int64     // values that may be numbers in another notation, dates or JSON
	numerals *numerals // nil unless the column has such values

	forms  *forms
	format string // of dates and times; "" is ISO 8601

	kind     shape.Type
	declared *shape.Numbers // nil for the plain notation
	nullable bool
	own      []string // its own null words
	evidence string
}

func newColumn(name string, m *memory) *column {
	return &column{name: name, nulls: make([]int64, len(nullWords)), known: newSet(m)}
}

// observe takes a field.
func (c *column) observe(text []byte, quoted bool, line int64) {
	if !quoted {
		if word := nullWord(text); word >= 0 {
			c.nulls[word]++
			return
		}
	}
	if c.values++; c.values == 1 {
		c.example = string(text[:min(len(text), mostShown)])
	}
	c.longest = max(c.longest, len(text))
	if len(text) == 0 {
		c.empty++
	}
	if string(text) == "null" {
		c.jsonNull++
	}
	c.classify(text, line)
	c.texture.observe(text)
	if c.numerals != nil {
		c.numerals.observe(text)
		c.forms.observe(text)
	}
	c.hash(text, line)
}

func (c *column) classify(text []byte, line int64) {
	if c.moreThan && c.other > 1000 && c.other > c.values/2 {
		c.other++ // a text, whatever else comes
		return
	}
	flag := source.Fits(shape.Flag, text)
	if flag {
		c.flags++
		if word := strings.ToLower(string(text)); !slices.Contains(c.words, word) {
			c.words = append(c.words, word)
		}
	}
	switch {
	case source.Fits(shape.Int, text):
		c.int(text)
	case source.Fits(shape.Money, text):
		c.money++
	case source.Fits(shape.Decimal, text):
		c.decimals++
	default:
		c.other++
		if isForeign(text) || mayBeForm(text) {
			c.strange++
		}
		at := slices.IndexFunc(c.others, func(s sample) bool { return s.text == string(text[:min(len(text), mostShown)]) })
		switch {
		case at >= 0:
			c.others[at].count++
		case len(c.others) < mostOthers:
			c.others = append(c.others, sample{text: string(text[:min(len(text), mostShown)]), line: line, count: 1})
		default:
			c.moreThan = true
		}
	}
}

func (c *column) int(text []byte) {
	digits := bytes.TrimPrefix(text, []byte{'-'})
	if len(digits) > 1 && digits[0] == '0' {
		c.padded++
	}
	n, err := strconv.ParseInt(string(text), 10, 64)
	if err != nil {
		return // Fits has parsed it
	}
	if c.ints == 0 {
		c.low, c.high = n, n
	}
	c.low, c.high = min(c.low, n), max(c.high, n)
	if n >= 0 {
		c.bits[bits.Len64(uint64(n))]++
	}
	c.ints++
}

func (c *column) hash(text []byte, line int64) {
	hash := xxh3.Hash(text)
	c.spread.add(hash)
	if hash == c.above {
		c.again++
	}
	if len(c.few) < mostFew && !slices.Contains(c.few, hash) {
		c.few = append(c.few, hash)
	}
	if c.known == nil || !c.known.add(hash) {
		return
	}
	if c.duplicates++; c.duplicates == 1 {
		c.first = sample{text: string(text[:min(len(text), mostShown)]), line: line}
	}
	if c.duplicates > 10+c.values/50 {
		c.known.free()
		c.known = nil
	}
}

// settle decides about uniqueness at the end of the file.
func (c *column) settle() {
	if c.known != nil && (c.duplicates*mostTwice > c.values || !c.rarelyNull() || c.values == 0) {
		c.known.free()
		c.known = nil
	}
}

// rarelyNull reports whether so few values are null that they are damage in a key.
func (c *column) rarelyNull() bool { return c.allNulls()*damagedID <= c.values }

// chance is the share of the ints of a column that are keys if they have nothing to do with them: all, if the keys are a sequence. A few
// keys far away do not count.
func (c *column) chance(key *column) float64 {
	var expected float64
	for length, n := range c.bits {
		expected += float64(n) * min(1, float64(key.bits[length])/float64(uint64(1)<<max(length-1, 0)))
	}
	return expected / float64(max(c.ints, 1))
}

func (c *column) allNulls() int64 {
	sum := c.absent
	for _, n := range c.nulls {
		sum += n
	}
	return sum
}

// unique reports whether the column can identify a row.
func (c *column) unique() bool {
	return c.known != nil && (c.kind == shape.Int || c.kind == shape.Text && c.longest <= 200 && c.empty == 0)
}

// One value among this many that is none of the column's type is damage, which a run should report. Among ids, it is so more often.
const (
	damage    = 1000
	damagedID = 200
)

// mostTwice is the share of the rows of a key that may have the key of an earlier row: a run publishes without them.
const mostTwice = 100

// decide chooses the type.
func (c *column) decide() {
	others := c.other
	words := c.ownWords()
	for _, s := range words {
		others -= s.count
	}
	fractions, tolerated := c.money+c.decimals, int64(damage)
	if named(c.name, idNames) {
		if tolerated = damagedID; fractions*tolerated <= c.values {
			others, fractions = others+fractions, 0
		}
	}
	switch {
	case c.values == 0:
		c.kind, c.evidence = shape.Text, "no value in any row"
	case c.isFlag():
		c.kind, others = shape.Flag, 0
		c.evidence = "all values are " + strings.Join(slices.Sorted(slices.Values(c.words)), " or ")
	case c.isForm(), c.foreign():
	case c.numbers() == 0 || others*tolerated > c.values:
		c.kind = shape.Text
		c.textEvidence()
	case c.padded > 0:
		c.kind, c.evidence = shape.Text, "an int would lose the zeros before "+count(c.padded, "value")
	case named(c.name, moneyNames) && c.decimals == 0:
		c.kind, c.evidence = shape.Money, "all values are amounts"
	case fractions > 0:
		c.kind, c.evidence = shape.Decimal, count(fractions, "value")+" with decimals"
	default:
		c.kind = shape.Int
		c.evidence = comma(c.low) + " to " + comma(c.high)
	}
	if c.declared != nil || c.kind == shape.Date || c.kind == shape.Time || c.kind == shape.JSON {
		words, others = nil, 0
	}
	if c.kind != shape.Text {
		c.typedNulls(words, others)
		return
	}
	for _, n := range c.nulls[firstWord:afterWords] {
		c.nullable = c.nullable || n > 0
	}
	c.nullable = c.nullable || c.values == 0 || c.absent > 0
}

// numbers is how many values are numbers.
func (c *column) numbers() int64 { return c.ints + c.money + c.decimals }

// textEvidence is for a text that has numbers.
func (c *column) textEvidence() {
	switch {
	case c.numbers() == 0 || c.other == 0:
		c.evidence = "up to " + count(int64(c.longest), "byte")
	default:
		c.evidence = "no number, such as " + c.others[0].show()
	}
}

func (s *sample) show() string {
	return show(s.text) + " in line " + strconv.FormatInt(s.line, 10)
}

// typedNulls notes the null words of a column that is no text.
func (c *column) typedNulls(words []sample, damaged int64) {
	nulls := c.allNulls()
	for _, w := range words {
		nulls += w.count
	}
	if c.kind == shape.JSON {
		nulls += c.jsonNull
	}
	c.nullable = nulls > 0
	for i, n := range c.nulls {
		if i >= afterWords && n > 0 {
			c.own = append(c.own, nullWords[i])
		}
	}
	for _, w := range words {
		c.own = append(c.own, w.text)
	}
	if len(c.own) > 0 { // they replace those of the dialect
		for i, n := range c.nulls[:afterWords] {
			if n > 0 {
				c.own = append(c.own, nullWords[i])
			}
		}
		slices.Sort(c.own)
	}
	if nulls > 0 {
		c.evidence += "; " + comma(nulls) + " null"
	}
	if damaged > 0 {
		c.evidence += "; " + count(damaged, "row") + " with another value will be rejected"
		for _, s := range c.others {
			if !slices.ContainsFunc(words, func(word sample) bool { return word.text == s.text }) {
				c.evidence += ", such as " + s.show()
				break
			}
		}
	}
}

// ownWords returns the texts that must mean null if the column has numbers: the only ones that are not numbers, again and again.
func (c *column) ownWords() []sample {
	if c.moreThan || c.numbers() < 20 {
		return nil
	}
	return slices.DeleteFunc(slices.Clone(c.others), func(s sample) bool {
		return len(s.text) == 0 || len(s.text) >= mostShown || s.count < 2 || s.count > c.numbers() ||
			strings.ContainsAny(s.text, "0123456789")
	})
}

// isFlag reports whether the values are flags: words, or 0 and 1 where the name or many rows say that they are no numbers.
func (c *column) isFlag() bool {
	if c.flags < c.values || len(c.words) == 0 {
		return false
	}
	words := slices.Sorted(slices.Values(c.words))
	if slices.Equal(words, []string{"0", "1"}) {
		return c.values >= 20 && !named(c.name, idNames) && !named(c.name, amountNames) || named(c.name, flagNames)
	}
	if words[0] == "0" || words[0] == "1" {
		return len(words) == 1 && named(c.name, flagNames)
	}
	return len(words) > 1 || len(words[0]) > 1
}

// foreign decides whether the column has numbers in another notation: all of its values.
func (c *column) foreign() bool {
	if c.numerals == nil || c.ints+c.money+c.decimals == c.values {
		return false
	}
	n := c.numerals
	isMoney := len(n.signs) > 0 || named(c.name, moneyNames)
	for i, declared := range notations {
		fits := func(kind int) bool { return n.fits[i][kind] == c.values }
		kind := 0
		switch {
		case isMoney && fits(1):
			kind = 1
		case fits(0) && declared.Thousands != " ": // phone numbers have spaces, too
		case fits(2) && !fits(0):
			kind = 2
		default:
			continue
		}
		declared.Currency = n.signs
		c.kind, c.declared = numberKinds[kind], &declared
		c.evidence = "all values are numbers in this notation"
		return true
	}
	return false
}

// isForm decides whether all values of the column are dates, times or JSON of one form.
func (c *column) isForm() bool {
	if c.forms == nil || c.other < c.values || c.jsonNull == c.values {
		return false
	}
	found := -1
	for i, fitter := range c.forms.fitters {
		switch {
		case fitter == nil:
		case found < 0:
			found = i
			c.kind, c.format = formed[i].Type, formed[i].Format
			c.evidence = "all values have this form"
		case formed[i].Type == formed[found].Type:
			c.evidence += ", and also " + formed[i].Format
		}
	}
	return found >= 0
}
