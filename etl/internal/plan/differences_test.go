package plan

import (
	"fmt"
	"strings"
	"testing"
)

func TestDifferences(t *testing.T) {
	f := func(before, after, want string) {
		t.Helper()
		fields, all, err := differences([]byte(before), []byte(after))
		if err != nil {
			t.Fatal(err)
		}
		var got []string
		for _, field := range fields {
			got = append(got, fmt.Sprintf("%s: %s > %s", field.Path, field.Old, field.New))
		}
		if text := strings.Join(got, "; "); text != want || all < len(fields) {
			t.Errorf("%s and %s differ in %q (%d), want %q", before, after, text, all, want)
		}
	}
	f(`{"a": 1, "b": [1, {"c": null}]}`, `{"b": [1, {"c": null}], "a": 1}`, "")
	f(`{"results": [{"sale_price": "35.00"}]}`, `{"results": [{"sale_price": "30.00"}]}`, `results[0].sale_price: "35.00" > "30.00"`)
	f(`{"b": 1, "a": null}`, `{"c": "<&>", "a": false}`, `a: null > false; b: 1 > ; c:  > "<&>"`)
	f(`[1, 2]`, `[1]`, `[1]: 2 > `)
	f(`{"a": [1]}`, `{"a": {"b": 1}}`, `a: [1] > {"b":1}`)
	f(`9007199254740993`, `9007199254740992`, `: 9007199254740993 > 9007199254740992`)
	f(`1`, `[1]`, `: 1 > [1]`)
	f(`"`+strings.Repeat("é", 100)+`"`, `""`, `: "`+strings.Repeat("é", 59)+`… > ""`)
	if fields, all, err := differences([]byte(`[1,2,3,4,5,6,7,8,9,10]`), []byte(`[]`)); len(fields) != maxFields || all != 10 || err != nil {
		t.Errorf("%d fields of %d (%v)", len(fields), all, err)
	}
}
