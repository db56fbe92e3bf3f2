package sql

import (
	"cmp"
	"database/sql/driver"
	"encoding/json"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"unicode/utf8"
)

// MaxIDLength is the maximal length, in bytes, of an id that is a text. An index row of PostgreSQL and an address have room for it.
const MaxIDLength = 512

// ID is the id of an item: an integer or a text. IDs can be compared with ==. The zero ID is the integer 0.
//
// An id that consists of several parts is one text: see JoinID. The ids of a collection are of one kind, so only the order of ids of one
// kind has a meaning: integers by value, texts by their bytes, as in PostgreSQL's collation "C".
type ID struct {
	number int64
	text   string // empty for an integer
}

// IntID returns an id that is an integer.
func IntID(number int64) ID { return ID{number: number} }

// TextID returns an id that is a text, which must not be empty.
func TextID(text string) ID {
	if text == "" {
		panic("BUG: an id that is an empty text")
	}
	return ID{text: text}
}

// IsText reports whether the id is a text.
func (id ID) IsText() bool { return id.text != "" }

// Int returns the integer, 0 for a text.
func (id ID) Int() int64 { return id.number }

// Text returns the text, empty for an integer.
func (id ID) Text() string { return id.text }

// String returns the integer in decimal, or the text.
func (id ID) String() string {
	if id.text != "" {
		return id.text
	}
	return strconv.FormatInt(id.number, 10)
}

// Compare returns -1, 0 or 1, as cmp.Compare does. Both ids must be of one kind.
func (id ID) Compare(other ID) int {
	if id.text == "" {
		return cmp.Compare(id.number, other.number)
	}
	return strings.Compare(id.text, other.text)
}

// Before reports whether id is less than other. Both ids must be of one kind.
func (id ID) Before(other ID) bool {
	if id.text == "" {
		return id.number < other.number
	}
	return id.text < other.text
}

// AppendPath appends the id as it is written in an address. Slashes separate its segments; other bytes are percent-encoded unless they
// are unreserved (RFC 3986, 2.3).
func (id ID) AppendPath(dst []byte) []byte {
	if id.text == "" {
		return strconv.AppendInt(dst, id.number, 10)
	}
	return appendEncoded(dst, id.text, func(c byte) bool { return isUnreserved(c) || c == '/' })
}

// appendEncoded appends text with all bytes percent-encoded except those that are plain.
func appendEncoded[T string | []byte](dst []byte, text T, plain func(byte) bool) []byte {
	const digits = "0123456789ABCDEF"
	for i := range len(text) {
		if c := text[i]; plain(c) {
			dst = append(dst, c)
		} else {
			dst = append(dst, '%', digits[c>>4], digits[c&15])
		}
	}
	return dst
}

func isUnreserved(c byte) bool {
	return 'a' <= c && c <= 'z' || 'A' <= c && c <= 'Z' || '0' <= c && c <= '9' || c == '-' || c == '.' || c == '_' || c == '~'
}

// MarshalJSON returns a number or a string.
func (id ID) MarshalJSON() ([]byte, error) {
	if id.text == "" {
		return strconv.AppendInt(nil, id.number, 10), nil
	}
	return appendJSONString(nil, id.text), nil
}

// UnmarshalJSON reads what MarshalJSON returns.
func (id *ID) UnmarshalJSON(text []byte) error {
	var value any
	if len(text) > 0 && text[0] == '"' {
		var read string
		if err := json.Unmarshal(text, &read); err != nil {
			return err
		}
		value = read
	} else {
		number, err := strconv.ParseInt(string(text), 10, 64)
		if err != nil {
			return err
		}
		value = number
	}
	return id.Scan(value)
}

// appendJSONString appends a text in UTF-8 as a JSON string.
func appendJSONString(dst []byte, text string) []byte {
	dst = append(dst, '"')
	for i := range len(text) {
		switch c := text[i]; {
		case c == '"' || c == '\\':
			dst = append(dst, '\\', c)
		case c < ' ':
			dst = fmt.Appendf(dst, `\u%04x`, c)
		default:
			dst = append(dst, c)
		}
	}
	return append(dst, '"')
}

// Value returns the id as a parameter of a statement, an int64 or a string.
func (id ID) Value() (driver.Value, error) {
	if id.text == "" {
		return id.number, nil
	}
	return id.text, nil
}

// Scan reads a column of a row, a bigint or a text.
func (id *ID) Scan(value any) error {
	switch value := value.(type) {
	case int64:
		*id = ID{number: value}
		return nil
	case string:
		if value != "" {
			*id = ID{text: value}
			return nil
		}
	}
	return fmt.Errorf("an id is an integer or a text, and not %T %v", value, value)
}

// IDArray returns ids, which must be of one kind, as the array parameter of a statement.
func IDArray(ids []ID) any {
	if len(ids) > 0 && ids[0].IsText() {
		texts := make([]string, len(ids))
		for i, id := range ids {
			texts[i] = id.text
		}
		return texts
	}
	numbers := make([]int64, len(ids))
	for i, id := range ids {
		numbers[i] = id.number
	}
	return numbers
}

// ErrNoAddress means that a text cannot be an id, because no address could have it.
var ErrNoAddress = errors.New("cannot be an id: no address could have it")

// JoinID returns the text of an id with several parts: the parts, in which "%" and "/" are percent-encoded, joined by slashes.
func JoinID(parts ...string) string {
	return string(AppendID(nil, parts...))
}

// AppendID appends what JoinID returns. It allocates nothing if dst has room.
func AppendID(dst []byte, parts ...string) []byte {
	for i, part := range parts {
		if i > 0 {
			dst = append(dst, '/')
		}
		dst = AppendIDPart(dst, part)
	}
	return dst
}

// AppendIDPart appends a part of an id with several parts, without a slash.
func AppendIDPart[T string | []byte](dst []byte, part T) []byte {
	return appendEncoded(dst, part, func(c byte) bool { return c != '/' && c != '%' })
}

// CheckID returns ErrNoAddress unless a text can be the id of an item in a collection whose ids have a number of parts. paths are those of
// its endpoints. Addresses are normalized before they are compared, so they have no empty, "." and ".." segments.
func CheckID[T string | []byte](text T, parts int, paths ...string) error {
	if len(text) == 0 || len(text) > MaxIDLength || !isText(text) {
		return ErrNoAddress
	}
	segments, begin := 0, 0
	for i := 0; i <= len(text); i++ {
		if i < len(text) && text[i] != '/' {
			continue
		}
		switch segment := text[begin:i]; {
		case len(segment) == 0, string(segment) == ".", string(segment) == "..":
			return ErrNoAddress
		}
		segments++
		begin = i + 1
	}
	switch {
	case parts > 1 && segments != parts, parts == 1 && string(text) == ChangesPath:
		return ErrNoAddress
	case parts > 1 || segments == 1:
		return nil
	}
	// The only part of an id contains slashes. If it ended with the path of an endpoint, the address would be that of another item.
	for _, path := range paths {
		if rest, found := strings.CutSuffix(string(text), path); found && path != "" && strings.HasSuffix(rest, "/") {
			return ErrNoAddress
		}
	}
	return nil
}

// isText reports whether PostgreSQL accepts a text: it is UTF-8 without NUL.
func isText[T string | []byte](text T) bool {
	ascii := true
	for i := range len(text) {
		if text[i] == 0 {
			return false
		}
		ascii = ascii && text[i] < utf8.RuneSelf
	}
	return ascii || utf8.ValidString(string(text))
}
