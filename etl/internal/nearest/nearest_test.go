package nearest

import (
	"fmt"
	"strings"
	"testing"
)

func TestRemedy(t *testing.T) {
	var many []string
	for i := range 25 {
		many = append(many, fmt.Sprintf("column %d", i))
	}
	for _, c := range []struct {
		unused []string
		want   string
	}{
		{nil, "all others are used"},
		{[]string{"titles", "author"}, "did you mean titles?"},
		{[]string{"author", "year"}, "not used: author, year"},
		{many, "not used: " + strings.Join(many[:20], ", ") + " and 5 more"},
	} {
		if got := Remedy("title", c.unused); got != c.want {
			t.Errorf("Remedy(title, %q) = %q, want %q", c.unused, got, c.want)
		}
	}
}

func TestQuestion(t *testing.T) {
	for _, c := range []struct {
		name, want string
		names      []string
	}{
		{"id", "did you mean ID?", []string{"Name", "ID"}},
		{"product_id", "did you mean Product Id?", []string{"id", "Product Id", "product"}},
		{"id", "", []string{"name", "no"}},
		{"id", "", nil},
	} {
		if got := Question(c.name, c.names); got != c.want {
			t.Errorf("Question(%q, %q) = %q, want %q", c.name, c.names, got, c.want)
		}
	}
}

func TestDistance(t *testing.T) {
	cases := []struct {
		a, b string
		want int
	}{
		{"", "", 0},
		{"title", "title", 0},
		{"title", "titel", 1},
		{"title", "titles", 1},
		{"title", "tile", 1},
		{"title", "tutle", 1},
		{"", "abc", 3},
		{"abc", "", 3},
		{"product_id", "productId", 0},
		{"Default Price", "default_price", 0},
		{"isbn", "year", 4},
		{"größe", "grosse", 3},
	}
	for _, c := range cases {
		if got := distance(c.a, c.b); got != c.want {
			t.Errorf("distance(%q, %q) = %d, want %d", c.a, c.b, got, c.want)
		}
	}
}
