package server

import (
	"bytes"
	"slices"
	"strconv"
	"unicode/utf8"

	"github.com/dustin/go-humanize/english"
	"github.com/valyala/fasthttp"
)

// parameter is a query parameter that some address of a collection takes.
type parameter uint8

const (
	pageParameter parameter = iota
	countParameter
	sinceParameter
	afterParameter
	parameters // how many there are
)

var parameterNames = [parameters]string{"page", "count", "since", "after"}

// query is a request's query. Its values are valid as long as the request.
type query struct {
	given   [parameters]bool
	values  [parameters][]byte // decoded
	lenient bool               // words that are no number stand for the default: what clients of the original service may rely on
}

// tracking are the parameters that others add to links to find out where visitors come from, beside utm_*. They are ignored
// everywhere. The gateway has the same list.
var tracking = []string{
	"_ga", "_gl", "dclid", "fbclid", "gbraid", "gclid", "igshid", "mc_cid", "mc_eid", "msclkid", "srsltid", "ttclid", "twclid", "wbraid", "yclid",
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

// queryError is a query that an address does not take. Its text is public.
type queryError struct{ detail string }

func (e *queryError) Error() string { return e.detail }

// readQuery reads the query of a request for an address that takes some parameters. Pairs are separated by "&" and decoded as forms are, name and value;
// empty pairs are skipped. A parameter that the address does not take, and one that is given twice, is a *queryError.
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
	mostNames     = 5  // that an answer repeats
	longestNaming = 40 // bytes of each, as it came
)

// appendName appends a name as an answer may repeat it: printable ASCII, not too long, and once.
func appendName(names []string, name []byte) []string {
	cut := name
	if len(cut) > longestNaming {
		cut = cut[:longestNaming]
		for len(cut) > 0 && !utf8.Valid(cut) && utf8.Valid(name) {
			cut = cut[:len(cut)-1]
		}
	}
	quoted := strconv.QuoteToASCII(string(cut))
	text := quoted[1 : len(quoted)-1]
	if len(cut) < len(name) {
		text += "..."
	}
	// One more than are shown, for all the others.
	if slices.Contains(names, text) || len(names) > mostNames {
		return names
	}
	return append(names, text)
}

// list returns names, each in quotes, as an English list. Names beyond mostNames are "others".
func list(names []string, quote string) string {
	var words []string
	for _, name := range names[:min(len(names), mostNames)] {
		words = append(words, quote+name+quote)
	}
	if len(names) > mostNames {
		words = append(words, "others")
	}
	return english.WordSeries(words, "and")
}

// number returns the positive number that a parameter holds, or otherwise if the parameter is not there. A number beyond int64 is
// returned as the largest. In a lenient query, a word is otherwise, too, unless it asks for as much as there is and most is set.
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
	if err == errTooLarge {
		err = nil
	}
	return value, err
}

// isWord reports whether a text is not even an attempt at a number, such as "undefined", "NaN" or nothing at all.
func isWord(text []byte) bool {
	return bytes.IndexFunc(text, func(r rune) bool { return '0' <= r && r <= '9' }) < 0
}

func isMost(text []byte) bool {
	return string(text) == "*" || bytes.EqualFold(text, []byte("all")) || bytes.EqualFold(text, []byte("max"))
}
