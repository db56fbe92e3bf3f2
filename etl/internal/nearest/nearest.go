// Package nearest suggests an existing name for one that does not exist.
package nearest

import (
	"fmt"
	"slices"
	"strings"

	"systemscale/sql/printable"
)

// Remedy suggests an unused name for a missing one.
func Remedy(name string, unused []string) string {
	if len(unused) == 0 {
		return "all others are used"
	}
	if question := Question(name, unused); question != "" {
		return question
	}
	if more := len(unused) - mostNames; more > 0 {
		return fmt.Sprintf("not used: %s and %d more", printable.Names(unused[:mostNames]), more)
	}
	return "not used: " + printable.Names(unused)
}

// Question suggests a name for a missing one, or "" if none is near.
func Question(name string, names []string) string {
	if len(names) == 0 {
		return ""
	}
	best := slices.MinFunc(names, func(a, b string) int { return distance(name, a) - distance(name, b) })
	if distance(name, best)*3 > len(name) {
		return ""
	}
	return fmt.Sprintf("did you mean %s?", printable.Name(best))
}

// mostNames is the number of names that a message lists.
const mostNames = 20

// distance returns the optimal string alignment distance: how many letters must be inserted, deleted, replaced or swapped with a neighbor
// to turn a into b. Case, spaces and underscores do not count: product_id is productId.
func distance(a, b string) int {
	plain := strings.NewReplacer("_", "", " ", "")
	from, to := []rune(plain.Replace(strings.ToLower(a))), []rune(plain.Replace(strings.ToLower(b)))
	rows := make([][]int, len(from)+1)
	for i := range rows {
		rows[i] = make([]int, len(to)+1)
		for j := range rows[i] {
			switch {
			case i == 0 || j == 0:
				rows[i][j] = i + j
				continue
			case from[i-1] == to[j-1]:
				rows[i][j] = rows[i-1][j-1]
			default:
				rows[i][j] = 1 + min(rows[i-1][j-1], rows[i-1][j], rows[i][j-1])
			}
			if i > 1 && j > 1 && from[i-1] == to[j-2] && from[i-2] == to[j-1] {
				rows[i][j] = min(rows[i][j], 1+rows[i-2][j-2])
			}
		}
	}
	return rows[len(from)][len(to)]
}
