package nginx

import (
	"fmt"
	"regexp"
	"strings"

	"systemscale/sql"
)

// Alias is an address of older clients, which name an item in a query parameter, for a document. GET /qa/questions?product_id=1 gets the
// document at /questions/1 with Path "/qa/questions", Parameter "product_id", and Target "/questions/{id}". Other parameters of such a
// request are ignored.
type Alias struct {
	Path      string // without a trailing slash; the prefixes of older clients apply to it as to every path
	Parameter string
	Target    string // contains {id} once
}

// The forms of the parts of an alias.
var (
	aliasPath      = regexp.MustCompile(`^(?:/[A-Za-z0-9_~-][A-Za-z0-9._~-]*)+$`)
	aliasParameter = regexp.MustCompile(`^[A-Za-z0-9_]+$`)
	aliasTarget    = regexp.MustCompile(`^(?:/[a-z][a-z0-9_-]*)+/\{id\}(?:/[a-z0-9_-]+)*$`)
)

// ParseAliases parses a file of aliases, such as "/qa/questions?product_id={id} /questions/{id}", one in each line. Empty lines and lines
// that begin with # are ignored. Messages use name.
func ParseAliases(name, text string) ([]Alias, error) {
	var aliases []Alias
	number := 0
	for line := range strings.Lines(text) {
		number++
		words := strings.Fields(line)
		if len(words) == 0 || strings.HasPrefix(words[0], "#") {
			continue
		}
		fail := func(format string, args ...any) ([]Alias, error) {
			return nil, fmt.Errorf("%s:%d: %s", name, number, fmt.Sprintf(format, args...))
		}
		if len(words) != 2 {
			return fail("%d words; an alias has two: an address and a target, such as /qa/questions?product_id={id} /questions/{id}", len(words))
		}
		path, query, _ := strings.Cut(words[0], "?")
		parameter, value, _ := strings.Cut(query, "=")
		alias := Alias{path, parameter, words[1]}
		switch {
		case !aliasPath.MatchString(path) || !aliasParameter.MatchString(parameter) || value != "{id}":
			return fail("address %q must be a path and one parameter, such as /qa/questions?product_id={id}", words[0])
		case !aliasTarget.MatchString(alias.Target):
			return fail("target %q must be the path of a document, with {id} as one segment, such as /questions/{id}", words[1])
		case sql.ReservedFor(strings.Split(alias.Target, "/")[1]) != "":
			return fail("target %q is no path of a document: /%s is reserved", words[1], strings.Split(alias.Target, "/")[1])
		}
		for _, other := range aliases {
			if other.Path == path && other.Parameter == parameter {
				return fail("address %q has an alias already, for %s", words[0], other.Target)
			}
		}
		aliases = append(aliases, alias)
	}
	return aliases, nil
}

// identifier matches an id that needs no encoding in a URL.
const identifier = `-?[A-Za-z0-9][A-Za-z0-9._~-]{0,511}`

// aliasMaps returns the maps that find the target of an alias, or nothing. Most requests have no query: then no pattern is tried.
func aliasMaps(aliases []Alias) string {
	if len(aliases) == 0 {
		return ""
	}
	var maps strings.Builder
	maps.WriteString("map $args $alias {\n        \"\" \"\";\n        default $found_alias;\n    }\n")
	maps.WriteString("    map \"$args\\n$uri\" $found_alias {\n        default \"\";\n")
	for i, alias := range aliases {
		// A repeated parameter is ambiguous: the API refuses it.
		fmt.Fprintf(&maps, "        \"~^(?!(?:[^\\n]*&)?%[2]s=[^\\n]*&%[2]s=)(?:[^\\n]*&)?%[2]s=(?<alias_%[1]d>%[3]s)(?:&[^\\n]*)?\\n%[4]s\\z\" %[5]s;\n",
			i, alias.Parameter, identifier, regexp.QuoteMeta(alias.Path), strings.ReplaceAll(alias.Target, "{id}", fmt.Sprintf("${alias_%d}", i)))
	}
	maps.WriteString("    }")
	return maps.String()
}

// aliasRewrite returns the statement that replaces an alias's address by its target, or nothing.
func aliasRewrite(aliases []Alias) string {
	if len(aliases) == 0 {
		return ""
	}
	return `if ($alias) { rewrite "(?s)^(?!/-/)" $alias?; }`
}
