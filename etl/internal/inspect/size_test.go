package inspect

import (
	"fmt"
	"strings"
	"testing"

	"systemscale/etl/internal/dump/dumptest"
)

// TestLargeItems guesses documents that are not too large: of smaller items, with fewer look-ups, or of the rows of one file each.
func TestLargeItems(t *testing.T) {
	long := func(i int) string { return strings.Repeat("x", 200) + fmt.Sprint(i) }
	for _, c := range []struct {
		name  string
		files map[string]string
		root  string
		want  []string
		not   []string
	}{
		{
			name: "another root",
			files: map[string]string{
				"era.csv":  "id,name\n1,a\n2,b\n",
				"coin.csv": "id,era_id,name\n" + rows(2000, func(i int) string { return fmt.Sprint(i%2+1) + "," + long(i) }),
				"note.csv": "id,coin_id\n" + numbersOf(2000),
			},
			want: []string{"collection: coins", "parent: coin", "lookup: era"},
		},
		{
			name: "no look-ups below",
			files: map[string]string{
				"era.csv":    "id,name\n1,a\n2,b\n",
				"coin.csv":   "id,era_id,mint_id\n" + rows(300, func(i int) string { return fmt.Sprint(i%2+1) + "," + fmt.Sprint(i%2+1) }),
				"mint.csv":   "id,name,region_id\n1," + long(1) + ",1\n2," + long(2) + ",1\n",
				"region.csv": "id,name\n1,a\n",
			},
			root: "era",
			want: []string{"collection: eras", "item:   # GET /eras/1; look-ups in the rows below would make it too large"},
			not:  []string{"lookup: mint"},
		},
		{
			name: "documents of their own",
			files: map[string]string{
				"era.csv":  "id,name\n1,a\n2,b\n",
				"coin.csv": "key,era_id\n" + rows(1000, func(i int) string { return fmt.Sprint(i%2 + 1) }),
				"text.csv": "era_id,text\n" + strings.Join(texts(1000, long), ""),
			},
			root: "era",
			want: []string{"item:   # GET /eras/1; with the rows below, it would be too large", "path: coin", "path: text"},
		},
	} {
		t.Run(c.name, func(t *testing.T) {
			directory := t.TempDir()
			dumptest.Write(t, directory, c.files)
			guessed, err := Directory(t.Context(), Options{Directory: directory, Name: "guess.yaml", Root: c.root})
			if err != nil {
				t.Fatal(err)
			}
			text := string(guessed)
			rejects(t, directory, text)
			compareLines(t, text, c.want, c.not)
		})
	}
}

// texts returns rows of a number from 1 to 2 and a text.
func texts(n int, text func(i int) string) []string {
	var found []string
	for i := range n {
		found = append(found, fmt.Sprintf("%d,%s\n", i%2+1, text(i)))
	}
	return found
}
