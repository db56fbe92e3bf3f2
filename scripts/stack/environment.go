package main

import (
	"fmt"
	"strings"
)

// variable is one line of .run/env.
type variable struct{ name, value string }

// formatEnvironment writes variables so that a shell can source them and dotenv readers agree with it.
func formatEnvironment(variables []variable) ([]byte, error) {
	var text strings.Builder
	for _, variable := range variables {
		if strings.ContainsAny(variable.value, "'\n") {
			return nil, fmt.Errorf("%s: a quote or a line break in %q cannot be written so that shells and dotenv readers agree", variable.name, variable.value)
		}
		_, _ = fmt.Fprintf(&text, "%s='%s'\n", variable.name, variable.value)
	}
	return []byte(text.String()), nil
}
