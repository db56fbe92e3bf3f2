package server

import (
	"bytes"
	"errors"
	"slices"
	"strconv"
	"unicode/utf8"

	"github.com/dustin/go-humanize/english"
	"github.com/valyala/fasthttp"
)

// parameter is a query parameter of an address.
type parameter uint8

const (
	pageParameter parameter = iota
	countParameter
	sinceParameter
	afterParameter
	parameters // number of parameters
)

var parameterNames = [parameters]string{"page", "count", "since", "after"}

// query is the query of a request. Its values are valid as long as the request.
type query struct {
	given   [parameters]bool
	values  [parameters][]byte // decoded
	lenient bool               // words select the default, as in the original service
}

// tracking are the tracking parameters, in addition to utm_*, that are ignored everywhere. The gateway has the same list.
var tracking = []string{
	"_ga", "_gl", "dclid", "fbclid", "gbraid", "gclid", "igshid", "mc_cid", "mc_eid",
	"msclkid", "srsltid", "ttclid", "twclid", "wbraid", "yclid",
}

func isTracking(name []byte) bool {
	if bytes.HasPrefix(name, []byte("utm_")) {
		return true
	}
	for _, known := range tracking {
		if string(name) == known {
			return true
		}
	}
	return false
}

// queryError is the error of an invalid query. Its text is public.
type queryError struct{ detail string }

func (e *queryError) Error() string { return e.detail }

// readQuery reads the query of a request for an address that takes some parameters. Pairs are separated by "&" and form-encoded; empty
// pairs are skipped. An unknown or repeated parameter results in a *queryError.
func readQuery(ctx *fasthttp.RequestCtx, lenient bool, takes ...parameter) (query, error) {
	q := query{lenient: lenient}
	if len(ctx.URI().QueryString()) == 0 {
		return q, nil
	}
	var unknown, repeated []string
	for name, value := range ctx.QueryArgs().All() {
		at := slices.IndexFunc(takes, func(p parameter) bool { return parameterNames[p] == string(name) })
		switch {
		case at >= 0 && q.given[takes[at]]:
			repeated = appendName(repeated, name)
		case at >= 0:
			q.given[takes[at]], q.values[takes[at]] = true, value
		case !isTracking(name):
			unknown = appendName(unknown, name)
		}
	}
	switch {
	case len(unknown) > 0:
		return q, &queryError{"This address does not take " + list(unknown, `"`) + "; " + taken(takes)}
	case len(repeated) > 0:
		return q, &queryError{list(repeated, `"`) + " may be given only once."}
	}
	return q, nil
}

func taken(takes []parameter) string {
	if len(takes) == 0 {
		return "it takes no parameters."
	}
	var names []string
	for _, p := range takes {
		names = append(names, parameterNames[p])
	}
	return "it takes " + list(names, "") + "."
}

const (
	maxNames      = 5  // names in a response
	maxNameLength = 40 // bytes of a name in a response
)

// appendName appends a name in the form in which a response repeats it: printable ASCII, truncated, without duplicates.
func appendName(names []string, name []byte) []string {
	cut := name
	if len(cut) > maxNameLength {
		cut = cut[:maxNameLength]
		for len(cut) > 0 && !utf8.Valid(cut) && utf8.Valid(name) {
			cut = cut[:len(cut)-1]
		}
	}
	quoted := strconv.QuoteToASCII(string(cut))
	text := quoted[1 : len(quoted)-1]
	if len(cut) < len(name) {
		text += "..."
	}
	// One more than maxNames represents all others.
	if slices.Contains(names, text) || len(names) > maxNames {
		return names
	}
	return append(names, text)
}

// list returns names, each in quotes, as an English list. Names beyond maxNames are "others".
func list(names []string, quote string) string {
	var words []string
	for _, name := range names[:min(len(names), maxNames)] {
		words = append(words, quote+name+quote)
	}
	if len(names) > maxNames {
		words = append(words, "others")
	}
	return english.WordSeries(words, "and")
}

// number returns the positive integer of a parameter, or otherwise if the parameter is absent. A number beyond int64 is returned as the
// largest. In a lenient query, a word results in otherwise as well; if most is not 0, words for the largest count result in most.
func (q *query) number(p parameter, otherwise, most int64) (int64, error) {
	if !q.given[p] {
		return otherwise, nil
	}
	text := q.values[p]
	if q.lenient && isWord(text) {
		if most > 0 && isMost(text) {
			return most, nil
		}
		return otherwise, nil
	}
	value, err := parseNumber(text)
	if errors.Is(err, errTooLarge) {
		err = nil
	}
	return value, err
}

// isWord reports whether text has no digit, such as "undefined", "NaN" or "".
func isWord(text []byte) bool {
	return bytes.IndexFunc(text, func(r rune) bool { return '0' <= r && r <= '9' }) < 0
}

func isMost(text []byte) bool {
	return string(text) == "*" || bytes.EqualFold(text, []byte("all")) || bytes.EqualFold(text, []byte("max"))
}

// parseID parses an integer of 64 bits, which may be zero or negative, without a leading zero or plus sign.
func parseID(text []byte) (int64, error) {
	digits := bytes.TrimPrefix(text, minus)
	if string(text) == "0" {
		return 0, nil
	}
	if len(digits) == 0 || digits[0]-'1' > 8 {
		return 0, errNoNumber
	}
	return strconv.ParseInt(string(text), 10, 64)
}

var minus = []byte{'-'}

// parseNumber parses a positive integer without sign or leading zero. Beyond int64 it returns the largest and errTooLarge.
func parseNumber(text []byte) (int64, error) {
	if len(text) == 0 || text[0] == '0' {
		return 0, errNoNumber
	}
	for _, digit := range text {
		if digit < '0' || digit > '9' {
			return 0, errNoNumber
		}
	}
	value, err := strconv.ParseInt(string(text), 10, 64)
	if err != nil {
		return value, errTooLarge
	}
	return value, nil
}
