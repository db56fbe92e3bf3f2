package main

import (
	"fmt"
	"regexp"
	"strings"
)

// variable is one line of .run/env.
type variable struct{ name, value string }

// formatEnvironment writes variables so that a shell can source them. Readers of dotenv files agree with it where no value holds a quote.
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

// inDoubleQuotes escapes what a shell would not leave alone between double quotes.
var inDoubleQuotes = strings.NewReplacer(`\`, `\\`, `"`, `\"`, "$", `\$`, "`", "\\`")

var plainWord = regexp.MustCompile(`^[A-Za-z0-9/._:@%+,=-]+$`)

// shellWord writes a word so that it can be pasted into a shell.
func shellWord(word string) string {
	if plainWord.MatchString(word) {
		return word
	}
	return "'" + strings.ReplaceAll(word, "'", `'\''`) + "'"
}
