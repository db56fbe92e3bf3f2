package inspect

import (
	"regexp"
	"strconv"
	"strings"

	"systemscale/etl/internal/shape"
)

var (
	plainText = regexp.MustCompile(`^[A-Za-z_][A-Za-z0-9_.-]*$`)
	yamlWord  = regexp.MustCompile(`(?i)^(null|true|false|yes|no|on|off|nan|inf)$`)
)

// quote returns a text as YAML.
func quote(text string) string {
	if plainText.MatchString(text) && !yamlWord.MatchString(text) {
		return text
	}
	if strings.Contains(text, `\`) && !strings.ContainsAny(text, "'\t\r\n") {
		return "'" + text + "'"
	}
	return strconv.Quote(text)
}

// list returns one text, or a list of several, as YAML.
func list(texts []string) string {
	quoted := make([]string, len(texts))
	for i, text := range texts {
		quoted[i] = quote(text)
		if quoted[i] == text {
			quoted[i] = strconv.Quote(text)
		}
	}
	if len(quoted) == 1 {
		return quoted[0]
	}
	return "[" + strings.Join(quoted, ", ") + "]"
}

// yaml returns the notation as in a shape file.
func yaml(n *shape.Numbers) string {
	var parts []string
	if n.Decimal != "." {
		parts = append(parts, "decimal: "+list([]string{n.Decimal}))
	}
	if n.Thousands != "" {
		parts = append(parts, "thousands: "+list([]string{n.Thousands}))
	}
	if len(n.Currency) > 0 {
		parts = append(parts, "currency: "+list(n.Currency))
	}
	return "{" + strings.Join(parts, ", ") + "}"
}
