package source

import (
	"bytes"
	"strconv"

	"systemscale/etl/internal/decimal"
	"systemscale/etl/internal/shape"
	"systemscale/etl/internal/strftime"
)

// The texts of flags are at the beginning of Rows.spare.
const (
	statics   = "falsetrue"
	falseSize = 5
	trueSize  = 4
)

var flagTexts = []byte(statics)

// flagText returns the canonical form of a flag.
func flagText(set bool) []byte {
	if set {
		return flagTexts[falseSize:]
	}
	return flagTexts[:falseSize]
}

// converter converts texts to the canonical form of a column's values.
type converter struct {
	kind    shape.Type
	numbers *notation        // nil for the plain one
	layout  *strftime.Layout // of a date or a time
}

func newConverter(column *shape.Column, dialect *shape.Dialect) converter {
	c := converter{kind: column.Type, numbers: newNotation(dialect.NumbersOf(column), column.Type)}
	if c.kind == shape.Date || c.kind == shape.Time {
		c.layout = column.Layout()
	}
	return c
}

// longestNumber is the largest number of bytes by which a canonical form is longer than its text.
const longestNumber = 24

// isNull reports whether a text is the null of JSON, which is that of the column.
func (c *converter) isNull(text []byte) bool {
	return c.kind == shape.JSON && len(text) >= len("null") && string(bytes.Trim(text, " \t\r\n")) == "null"
}

// append appends the canonical form of a value. For an int, it also returns the number. If text is not such a value, it returns the
// reason.
func (c *converter) append(dst, text []byte) (canonical []byte, number int64, reason Reason) {
	ok := true
	if c.numbers != nil {
		text, ok = c.numbers.plain(text)
	}
	switch c.kind {
	case shape.Int:
		n, isInt := parseInt(text)
		if !ok || !isInt {
			return nil, 0, NotInt
		}
		return strconv.AppendInt(dst, n, 10), n, ""
	case shape.Money:
		n, isMoney := parseMoney(text)
		if !ok || !isMoney {
			return nil, 0, NotMoney
		}
		return appendMoney(dst, n), 0, ""
	case shape.Flag:
		set, ok := shape.ParseFlag(text)
		if !ok {
			return nil, 0, NotFlag
		}
		return append(dst, flagText(set)...), 0, ""
	case shape.Decimal:
		canonical, isDecimal := decimal.Append(dst, text)
		if !ok || !isDecimal {
			return nil, 0, NotDecimal
		}
		return canonical, 0, ""
	case shape.Date:
		canonical, isDate := c.layout.AppendDate(dst, text)
		if !isDate {
			return nil, 0, NotDate
		}
		return canonical, 0, ""
	case shape.Time:
		canonical, isTime := c.layout.AppendTime(dst, text)
		if !isTime {
			return nil, 0, NotTime
		}
		return canonical, 0, ""
	case shape.JSON:
		canonical, isJSON := appendJSON(dst, text)
		if !isJSON {
			return nil, 0, NotJSON
		}
		return canonical, 0, ""
	}
	return append(dst, text...), 0, ""
}
