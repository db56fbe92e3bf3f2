package source

import (
	"systemscale/etl/internal/decimal"
)

// maxLevels is the number of levels that JSON may have.
const maxLevels = 500

// appendJSON appends JSON without the white space between its parts. It reports false if text is not JSON, or if PostgreSQL cannot
// store it: with a NUL, half a surrogate pair, a huge number or too many levels. text must be UTF-8.
func appendJSON(dst, text []byte) ([]byte, bool) {
	p := jsonParser{text: text, dst: dst}
	p.spaces()
	if !p.value(0) {
		return nil, false
	}
	p.spaces()
	return p.dst, len(p.text) == 0
}

// jsonParser moves values from the beginning of text to dst.
type jsonParser struct{ text, dst []byte }

// take moves bytes.
func (p *jsonParser) take(size int) {
	p.dst = append(p.dst, p.text[:size]...)
	p.text = p.text[size:]
}

// next reports whether the rest begins with c, and moves it.
func (p *jsonParser) next(c byte) bool {
	if len(p.text) == 0 || p.text[0] != c {
		return false
	}
	p.take(1)
	return true
}

func (p *jsonParser) spaces() {
	for len(p.text) > 0 && (p.text[0] == ' ' || p.text[0] == '\t' || p.text[0] == '\n' || p.text[0] == '\r') {
		p.text = p.text[1:]
	}
}

func (p *jsonParser) value(level int) bool {
	if len(p.text) == 0 {
		return false
	}
	switch p.text[0] {
	case '{', '[':
		return level < maxLevels && p.elements(level)
	case '"':
		return p.string()
	case 't':
		return p.word("true")
	case 'f':
		return p.word("false")
	case 'n':
		return p.word("null")
	}
	return p.number()
}

// elements reads an array or an object.
func (p *jsonParser) elements(level int) bool {
	object := p.text[0] == '{'
	end := byte(']')
	if object {
		end = '}'
	}
	p.take(1)
	p.spaces()
	if p.next(end) {
		return true
	}
	for {
		if object {
			if !p.string() {
				return false
			}
			p.spaces()
			if !p.next(':') {
				return false
			}
			p.spaces()
		}
		if !p.value(level + 1) {
			return false
		}
		p.spaces()
		if p.next(end) {
			return true
		}
		if !p.next(',') {
			return false
		}
		p.spaces()
	}
}

func (p *jsonParser) word(word string) bool {
	if len(p.text) < len(word) || string(p.text[:len(word)]) != word {
		return false
	}
	p.take(len(word))
	return true
}

// number reads a number, which must have the form that decimal.Append writes, except for the sign of zero.
func (p *jsonParser) number() bool {
	end := 0
	for end < len(p.text) && (p.text[end]-'0' <= 9 || p.text[end] == '-' || p.text[end] == '+' || p.text[end] == '.' || p.text[end]|' ' == 'e') {
		end++
	}
	at := 0
	if end > 0 && p.text[0] == '-' {
		at = 1
	}
	if at == end || p.text[at]-'0' > 9 || p.text[at] == '0' && at+1 < end && p.text[at+1]-'0' <= 9 {
		return false
	}
	canonical, ok := decimal.Append(p.dst, p.text[:end])
	if ok {
		p.dst, p.text = canonical, p.text[end:]
	}
	return ok
}

func (p *jsonParser) string() bool {
	if len(p.text) == 0 || p.text[0] != '"' {
		return false
	}
	at := 1
	for {
		if at >= len(p.text) {
			return false
		}
		switch c := p.text[at]; {
		case c == '"':
			p.take(at + 1)
			return true
		case c < ' ':
			return false
		case c == '\\':
			size := escapeSize(p.text[at:])
			if size == 0 {
				return false
			}
			at += size
		default:
			at++
		}
	}
}

// escapeSize returns the size of the escape at the beginning of text, or 0 if it is faulty. The two halves of a surrogate pair are one.
func escapeSize(text []byte) int {
	if len(text) < 2 {
		return 0
	}
	switch text[1] {
	case '"', '\\', '/', 'b', 'f', 'n', 'r', 't':
		return 2
	case 'u':
		c, ok := hexEscape(text)
		switch {
		case !ok || c == 0 || c >= 0xdc00 && c < 0xe000:
			return 0
		case c < 0xd800 || c >= 0xe000:
			return 6
		}
		if c, ok = hexEscape(text[6:]); ok && c >= 0xdc00 && c < 0xe000 {
			return 12
		}
	}
	return 0
}

// hexEscape returns the code unit of an escape such as \u00e9.
func hexEscape(text []byte) (c int, ok bool) {
	if len(text) < 6 || text[0] != '\\' || text[1] != 'u' {
		return 0, false
	}
	for _, digit := range text[2:6] {
		switch {
		case digit-'0' <= 9:
			c = c<<4 | int(digit-'0')
		case (digit|' ')-'a' < 6:
			c = c<<4 | int((digit|' ')-'a'+10)
		default:
			return 0, false
		}
	}
	return c, true
}
