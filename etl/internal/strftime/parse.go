package strftime

import "time"

// moment is a date and a time of day.
type moment struct {
	year, month, day            int
	hour, minute, second, milli int
	offset                      int // of the zone, in seconds
}

// The first second of the year 0 and the last one of the year 9999, since 1970: ISO 8601 has years of four digits.
const (
	firstSecond = -62_167_219_200
	lastSecond  = 253_402_300_799
)

// AppendDate appends the date as 2024-01-31. It reports false if text does not have the format or is no date. The zone of a time has no
// effect.
func (l *Layout) AppendDate(dst, text []byte) ([]byte, bool) {
	m, ok := l.parse(text)
	if !ok {
		return dst, false
	}
	return m.appendDate(dst), true
}

// AppendTime appends the time in UTC as 2024-01-31T10:11:12Z, or with milliseconds if the format has them. A text without zone is in
// UTC. It reports false if text does not have the format or is no time.
func (l *Layout) AppendTime(dst, text []byte) ([]byte, bool) {
	m, ok := l.parse(text)
	if ok && m.offset != 0 {
		ok = m.toUTC()
	}
	if !ok {
		return dst, false
	}
	dst = appendTwo(append(m.appendDate(dst), 'T'), m.hour)
	dst = appendTwo(append(dst, ':'), m.minute)
	dst = appendTwo(append(dst, ':'), m.second)
	if l.millis {
		dst = appendTwo(append(dst, '.', byte('0'+m.milli/100)), m.milli%100)
	}
	return append(dst, 'Z'), true
}

func (m *moment) appendDate(dst []byte) []byte {
	dst = appendTwo(appendTwo(dst, m.year/100), m.year%100)
	dst = appendTwo(append(dst, '-'), m.month)
	return appendTwo(append(dst, '-'), m.day)
}

func appendTwo(dst []byte, n int) []byte { return append(dst, byte('0'+n/10), byte('0'+n%10)) }

// toUTC removes the offset. It reports false if the year then has no four digits.
func (m *moment) toUTC() bool {
	t := time.Date(m.year, time.Month(m.month), m.day, m.hour, m.minute, m.second, 0, time.UTC)
	milli := m.milli
	ok := m.set(t.Unix() - int64(m.offset))
	m.milli = milli
	return ok
}

// set sets the moment to a number of seconds since 1970.
func (m *moment) set(seconds int64) bool {
	if seconds < firstSecond || seconds > lastSecond {
		return false
	}
	t := time.Unix(seconds, 0).UTC()
	year, month, day := t.Date()
	hour, minute, second := t.Clock()
	*m = moment{year: year, month: int(month), day: day, hour: hour, minute: minute, second: second}
	return true
}

func (l *Layout) parse(text []byte) (m moment, ok bool) {
	if l.epoch > 0 {
		return m, m.setEpoch(text, l.epoch)
	}
	p := parser{text: text, weekday: -1}
	m.month, m.day = 1, 1
	for i := range l.items {
		if it := &l.items[i]; it.directive == 0 {
			ok = p.literal(it.text, i+1 < len(l.items) && l.items[i+1].directive == 'f')
		} else {
			ok = p.directive(it.directive, &m)
		}
		if !ok {
			return m, false
		}
	}
	if l.has['p'] {
		m.hour %= 12
		if p.afternoon {
			m.hour += 12
		}
	}
	ok = len(p.text) == 0 && m.day <= daysIn(m.year, m.month)
	if p.weekday >= 0 && ok {
		ok = int(time.Date(m.year, time.Month(m.month), m.day, 0, 0, 0, 0, time.UTC).Weekday()) == p.weekday
	}
	return m, ok
}

// setEpoch sets the moment to an integer number of units since 1970.
func (m *moment) setEpoch(text []byte, perSecond int64) bool {
	negative := len(text) > 0 && text[0] == '-'
	if negative {
		text = text[1:]
	}
	if len(text) == 0 || len(text) > 17 {
		return false
	}
	var n int64
	for _, c := range text {
		if c -= '0'; c > 9 {
			return false
		}
		n = n*10 + int64(c)
	}
	if negative {
		n = -n
	}
	seconds, rest := n/perSecond, n%perSecond
	if rest < 0 {
		seconds, rest = seconds-1, rest+perSecond
	}
	if !m.set(seconds) {
		return false
	}
	m.milli = int(rest)
	return true
}

func daysIn(year, month int) int {
	switch month {
	case 2:
		if year%4 == 0 && (year%100 != 0 || year%400 == 0) {
			return 29
		}
		return 28
	case 4, 6, 9, 11:
		return 30
	}
	return 31
}

// parser reads the parts of a text.
type parser struct {
	text      []byte // the rest
	afternoon bool
	weekday   int  // from Sunday, or -1
	whole     bool // the fraction of the second is left out
}

// literal reads a text of the format. PostgreSQL leaves out a fraction that is zero, and with it the point before.
func (p *parser) literal(want string, beforeFraction bool) bool {
	if len(p.text) >= len(want) && string(p.text[:len(want)]) == want {
		p.text = p.text[len(want):]
		return true
	}
	p.whole = beforeFraction && want == "."
	return p.whole
}

func (p *parser) directive(c byte, m *moment) bool {
	switch c {
	case 'Y':
		return p.number(&m.year, 4, 4, 0, 9999)
	case 'y':
		ok := p.number(&m.year, 2, 2, 0, 99)
		if m.year += 2000; m.year > 2068 { // as in POSIX
			m.year -= 100
		}
		return ok
	case 'm':
		return p.number(&m.month, 1, 2, 1, 12)
	case 'b':
		return p.month(m)
	case 'd', 'e':
		if c == 'e' && len(p.text) > 0 && p.text[0] == ' ' {
			p.text = p.text[1:]
		}
		return p.number(&m.day, 1, 2, 1, 31)
	case 'H':
		return p.number(&m.hour, 1, 2, 0, 23)
	case 'I':
		return p.number(&m.hour, 1, 2, 1, 12)
	case 'M':
		return p.number(&m.minute, 1, 2, 0, 59)
	case 'S':
		return p.number(&m.second, 1, 2, 0, 59)
	case 'f':
		return p.fraction(m)
	case 'p':
		var half int
		ok := p.name(halves[:], &half)
		p.afternoon = half == 1
		return ok
	case 'a':
		return p.name(weekdays[:], &p.weekday) || p.name(shortWeekdays[:], &p.weekday)
	case 'z':
		return p.zone(m)
	case 'Z':
		var zone int
		return p.name(zones[:], &zone)
	}
	return false
}

// number reads a number of some digits.
func (p *parser) number(n *int, least, most, from, to int) bool {
	value, digits := 0, 0
	for digits < most && digits < len(p.text) && p.text[digits]-'0' <= 9 {
		value = value*10 + int(p.text[digits]-'0')
		digits++
	}
	if digits < least || value < from || value > to {
		return false
	}
	*n, p.text = value, p.text[digits:]
	return true
}

// fraction reads up to nine decimals of a second. Those after the third are cut off.
func (p *parser) fraction(m *moment) bool {
	if p.whole {
		return true
	}
	digits := 0
	for scale := 100; digits < len(p.text) && p.text[digits]-'0' <= 9; scale /= 10 {
		m.milli += int(p.text[digits]-'0') * scale
		digits++
	}
	if digits == 0 || digits > 9 {
		return false
	}
	p.text = p.text[digits:]
	return true
}

// zone reads Z, +hh, +hhmm or +hh:mm.
func (p *parser) zone(m *moment) bool {
	if len(p.text) > 0 && (p.text[0] == 'Z' || p.text[0] == 'z') {
		p.text = p.text[1:]
		return true
	}
	if len(p.text) == 0 || p.text[0] != '+' && p.text[0] != '-' {
		return false
	}
	sign := 1
	if p.text[0] == '-' {
		sign = -1
	}
	p.text = p.text[1:]
	var hours, minutes int
	if !p.number(&hours, 2, 2, 0, 15) {
		return false
	}
	if len(p.text) > 0 && p.text[0] == ':' {
		p.text = p.text[1:]
		if !p.number(&minutes, 2, 2, 0, 59) {
			return false
		}
	} else if len(p.text) > 0 && p.text[0]-'0' <= 9 && !p.number(&minutes, 2, 2, 0, 59) {
		return false
	}
	m.offset = sign * (hours*3600 + minutes*60)
	return true
}

func (p *parser) month(m *moment) bool {
	if !p.name(months[:], &m.month) && !p.name(shortMonths[:], &m.month) {
		return false
	}
	m.month++
	return true
}

var (
	months = [...]string{
		"january", "february", "march", "april", "may", "june", "july", "august", "september", "october", "november", "december",
	}
	shortMonths   = [...]string{"jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec"}
	weekdays      = [...]string{"sunday", "monday", "tuesday", "wednesday", "thursday", "friday", "saturday"}
	shortWeekdays = [...]string{"sun", "mon", "tue", "wed", "thu", "fri", "sat"}
	halves        = [...]string{"am", "pm"}
	zones         = [...]string{"utc", "gmt", "z"}
)

// name reads one of some names in any case, and sets its index.
func (p *parser) name(names []string, index *int) bool {
	for i, name := range names {
		if len(p.text) < len(name) {
			continue
		}
		at := 0
		for at < len(name) && p.text[at]|' ' == name[at] {
			at++
		}
		if at == len(name) {
			*index, p.text = i, p.text[at:]
			return true
		}
	}
	return false
}
