// Package strftime reads dates and times in a declared format and writes them in the one of ISO 8601.
//
// A format has the directives of strftime, or is "epoch s" or "epoch ms": the seconds or milliseconds since 1970.
package strftime

import (
	"fmt"
	"strings"
)

// Layout is a compiled format. It is safe for concurrent use.
type Layout struct {
	items  []item
	epoch  int64 // units per second of an epoch, or 0
	millis bool  // times have milliseconds
	has    [128]bool
}

// item is a directive, or a text if directive is 0.
type item struct {
	directive byte
	text      string
}

// Directives are the directives of a format, for messages.
const Directives = "%Y %y %m %d %e %b %B %a %A %H %I %M %S %f %p %z %Z %F %T %D %R %%"

// combined are the directives that stand for several.
var combined = map[byte]string{'F': "%Y-%m-%d", 'T': "%H:%M:%S", 'D': "%m/%d/%y", 'R': "%H:%M"}

// Compile compiles a format.
func Compile(format string) (*Layout, error) {
	switch format {
	case "epoch s":
		return &Layout{epoch: 1}, nil
	case "epoch ms":
		return &Layout{epoch: 1000, millis: true}, nil
	}
	l := &Layout{}
	if err := l.add(format); err != nil {
		return nil, err
	}
	for _, pair := range []string{"Yy", "mbB", "deE", "HI"} {
		if l.count(pair) > 1 {
			return nil, fmt.Errorf("has two of %%%s", strings.Join(strings.Split(pair, ""), " %"))
		}
	}
	switch {
	case !l.any("Yy") || !l.any("mb") || !l.any("de"):
		return nil, fmt.Errorf(`has no year, month and day: write for example "%%Y-%%m-%%d", "epoch s" or "epoch ms"`)
	case l.has['I'] != l.has['p']:
		return nil, fmt.Errorf("needs %%I, the hour of the half day, and %%p, AM or PM, together; %%H is the hour of the day")
	case l.has['f'] && !l.has['S'], l.has['S'] && !l.has['M'], l.has['M'] && !l.any("HI"):
		return nil, fmt.Errorf("has a smaller unit of time without the larger one: times begin with %%H or %%I")
	}
	l.millis = l.has['f']
	return l, nil
}

func (l *Layout) add(format string) error {
	for len(format) > 0 {
		at := strings.IndexByte(format, '%')
		if at < 0 {
			at = len(format)
		}
		if at > 0 {
			l.items = append(l.items, item{text: format[:at]})
			format = format[at:]
			continue
		}
		if len(format) == 1 {
			return fmt.Errorf("ends with %%: write %%%% for a percent sign")
		}
		directive := format[1]
		format = format[2:]
		if whole, ok := combined[directive]; ok {
			if err := l.add(whole); err != nil {
				return err
			}
			continue
		}
		switch directive {
		case '%':
			l.items = append(l.items, item{text: "%"})
			continue
		case 's':
			return fmt.Errorf("has %%s: write epoch s instead")
		case 'B':
			directive = 'b'
		case 'A':
			directive = 'a'
		}
		if !strings.Contains(Directives, "%"+string(rune(directive))) || directive >= 128 {
			return fmt.Errorf("has the unknown directive %%%c; the directives are %s", directive, Directives)
		}
		if l.has[directive] {
			return fmt.Errorf("has %%%c twice", directive)
		}
		l.has[directive] = true
		l.items = append(l.items, item{directive: directive})
	}
	return nil
}

func (l *Layout) count(directives string) int {
	n := 0
	for _, c := range []byte(directives) {
		if l.has[c] {
			n++
		}
	}
	return n
}

func (l *Layout) any(directives string) bool { return l.count(directives) > 0 }

// HasTime reports whether a text has at least the hour.
func (l *Layout) HasTime() bool { return l.epoch > 0 || l.any("HI") }

// Millis reports whether AppendTime writes milliseconds.
func (l *Layout) Millis() bool { return l.millis }
