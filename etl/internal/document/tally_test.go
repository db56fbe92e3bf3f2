package document

import (
	"bytes"
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"systemscale/etl/internal/join"
	"systemscale/etl/internal/shape"
)

// TestCounts compares the counts of few and of many values, short and long, with those of a map.
func TestCounts(t *testing.T) {
	random := rand.New(rand.NewPCG(1, 2))
	texts := func(different int) (values []string) {
		for i := range different {
			values = append(values, strings.Repeat("x", i%12)+fmt.Sprint(i*7919%different), fmt.Sprintf("longer than a word, %d", i))
		}
		return values
	}
	for name, values := range map[string][]string{
		"no row": nil, "one value": {"a"}, "empty": {"", "a"}, "a prefix of the other": {"size", "sizes", "size 8 of 10", "size 8 of 9"},
		"as many as are compared": texts(mostTallies / 2), "one more": append(texts(mostTallies/2), "z"), "many": texts(500),
	} {
		t.Run(name, func(t *testing.T) {
			var rows strings.Builder
			want := map[string]int{}
			rows.WriteString("id,a,word,n,sum,yes\n")
			for i := range 4 * len(values) {
				value := values[random.IntN(len(values))]
				want[value]++
				fmt.Fprintf(&rows, "%d,1,\"%s\",null,null,null\n", i+1, value)
			}
			files := map[string]string{
				"a.csv": "id,word,more,sum,yes,n\n1,null,null,null,null,null\n", "b.csv": rows.String(),
				"c.csv": "id,b,word,n,sum,x\n", "d.csv": "id,word,list\n",
			}
			treesOf(t, files, "{counts: word, of: b}", func(_ *shape.Shape, renderer *Renderer, tree *join.Tree) {
				if got := string(renderer.Append(nil, tree)); got != counted(want) {
					t.Errorf("rendered %s, want %s", got, counted(want))
				}
			})
		})
	}
}

// counted returns the counts as JSON.
func counted(counts map[string]int) string {
	var object bytes.Buffer
	for i, name := range slices.Sorted(maps.Keys(counts)) {
		if i > 0 {
			object.WriteByte(',')
		}
		fmt.Fprintf(&object, "%q:%d", name, counts[name])
	}
	return "{" + object.String() + "}"
}
