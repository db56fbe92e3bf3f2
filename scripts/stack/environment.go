package main

import (
	"fmt"
	"regexp"
	"strings"
)

// variable is one line of .run/env.
type variable struct{ name, value string }

// formatEnvironment formats variables for a shell to source. Dotenv readers read the same values unless one contains a quote.
func formatEnvironment(variables []variable) ([]byte, error) {
	var text strings.Builder
	for _, variable := range variables {
		if strings.Contains(variable.value, "\n") {
			return nil, fmt.Errorf("%s: a value with a line break cannot be written so that shells and dotenv readers agree", variable.name)
		}
		value := "'" + variable.value + "'"
		if strings.Contains(variable.value, "'") {
			value = `"` + inDoubleQuotes.Replace(variable.value) + `"`
		}
		fmt.Fprintf(&text, "%s=%s\n", variable.name, value)
	}
	return []byte(text.String()), nil
}

// inDoubleQuotes escapes the characters that are special between double quotes.
var inDoubleQuotes = strings.NewReplacer(`\`, `\\`, `"`, `\"`, "$", `\$`, "`", "\\`")

var plainWord = regexp.MustCompile(`^[A-Za-z0-9/._:@%+,=-]+$`)

// shellWord quotes a word for a shell if necessary.
func shellWord(word string) string {
	if plainWord.MatchString(word) {
		return word
	}
	return "'" + strings.ReplaceAll(word, "'", `'\''`) + "'"
}
