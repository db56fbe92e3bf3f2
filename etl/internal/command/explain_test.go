package command

import (
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"

	"systemscale/etl/internal/dump/dumptest"
)

func TestExplain(t *testing.T) {
	code, stdout, stderr := etl(t.Context(), "explain", "products", "4", "--csv", "../../testdata/v1")
	if code != exitOK {
		t.Fatalf("exit code %d: %s", code, stderr)
	}
	text, err := os.ReadFile(filepath.Join("..", "..", "testdata", "v1", "product.csv"))
	if err != nil {
		t.Fatal(err)
	}
	lines := strings.Split(string(text), "\n")
	if !strings.HasPrefix(stdout, "product.csv:5: "+lines[4]+"\n") || strings.Count(stdout, "product.csv:") != 1 {
		t.Errorf("the product's line is not the first, or not the only one: %s", stdout)
	}
	// Exactly the lines with product 4 as their parent.
	for file, column := range map[string]int{"features.csv": 1, "styles.csv": 1, "related.csv": 1} {
		text, err := os.ReadFile(filepath.Join("..", "..", "testdata", "v1", file))
		if err != nil {
			t.Fatal(err)
		}
		want := 0
		for i, line := range strings.Split(strings.TrimSpace(string(text)), "\n") {
			if fields := strings.Split(line, ","); fields[column] == "4" {
				want++
				if at := file + ":" + strconv.Itoa(i+1) + ": " + line + "\n"; !strings.Contains(stdout, at) {
					t.Errorf("missing: %s", at)
				}
			}
		}
		if got := strings.Count(stdout, file+":"); got != want || want == 0 {
			t.Errorf("%d lines of %s, want %d", got, file, want)
		}
	}
	for _, part := range []string{
		"photos.csv:", "skus.csv:", "styles, at /products/4/styles, ", `"product_id": "4"`, "related, at /products/4/related, ",
	} {
		if !strings.Contains(stdout, part) {
			t.Errorf("stdout does not contain %q:\n%s", part, stdout)
		}
	}

	cases := []struct {
		args []string
		code int
		want string
	}{
		{[]string{"products", "1000", "--csv", "../../testdata/v1"}, exitFiles, "product.csv: there is no product with id 1000: "},
		{[]string{"products", "0", "--csv", "../../testdata/v1"}, exitFiles, "product.csv: there is no product with id 0: "},
		{[]string{"books", "1", "--csv", "../../testdata/v1"}, exitUsage, "is of the collection products, not books"},
		{[]string{"products", "one", "--csv", "../../testdata/v1"}, exitUsage, "id"},
	}
	for _, c := range cases {
		if code, stdout, stderr := etl(t.Context(), append([]string{"explain"}, c.args...)...); code != c.code ||
			!strings.Contains(stderr, c.want) || stdout != "" {
			t.Errorf("%v: exit code %d, want %d; stderr %q, want %q in it; stdout %q", c.args, code, c.code, stderr, c.want, stdout)
		}
	}
}

// TestExplainAfterSorting wants the line numbers of the original file.
func TestExplainAfterSorting(t *testing.T) {
	directory := t.TempDir()
	dumptest.Write(t, directory, map[string]string{
		"books.yaml": dumptest.Books, "book.csv": "isbn,title\n8,Eight\n7,Seven\n", "review.csv": "id,isbn,stars\n3,8,1\n1,7,5\n",
	})
	// The first pass reads item 8 before it detects the disorder.
	for id, want := range map[string]string{
		"7": "book.csv:3: 7,Seven\nreview.csv:3: 1,7,5\n\n", "8": "book.csv:2: 8,Eight\nreview.csv:2: 3,8,1\n\n",
	} {
		code, stdout, stderr := etl(t.Context(), "explain", "books", id, "--csv", directory, "--shape", filepath.Join(directory, "books.yaml"))
		if code != exitOK || !strings.HasPrefix(stdout, want) {
			t.Errorf("exit code %d, stdout %q, stderr %q", code, stdout, stderr)
		}
	}
}

// TestExplainPrintsLookedUpLines follows look-ups in look-ups as far as the documents show them.
func TestExplainPrintsLookedUpLines(t *testing.T) {
	directory := t.TempDir()
	dumptest.Write(t, directory, map[string]string{
		"shop.yaml": `
collection: shop
dialect: {null: ""}
sources:
  product: {file: product.csv, key: id, columns: {id: int, category: int?, like: int?}}
  offer: {file: offer.csv, key: id, parent: product, on: product, columns: {id: int, product: int, seller: text, place: {lookup: seller, by: seller, show: place}}}
  category: {file: category.csv, key: id, columns: {id: int, name: text, above: int?}}
  seller: {file: seller.csv, key: code, columns: {code: text, place: text}}
  shelf: {file: shelf.csv, key: [category, row], columns: {row: int, category: int, name: text}}
documents:
  item:
    path: ""
    body:
      category: {lookup: category, by: category, as: {name: name, above: {lookup: category, by: above, as: name}}}
      like: {lookup: product, by: like, as: id}
      shelf: {lookup: shelf, by: [category, id], as: name}
      offers: {each: offer, as: place}
`,
		"product.csv":  "id,category,like\n1,4,3\n2,,1\n3,9,\n",
		"offer.csv":    "id,product,seller\n1,1,b\n2,1,x\n3,2,b\n",
		"category.csv": "id,name,above\n1,all,\n2,tea,1\n3,jam,1\n4,green,2\n",
		"shelf.csv":    "row,category,name\n4,1,top\n1,4,low\n2,4,high\n2,,none\n",
		"seller.csv":   "code,place\na,Rome\nb,Oslo\nb,Bonn\n",
	})
	for id, want := range map[string]string{
		"1": "product.csv:2: 1,4,3\noffer.csv:2: 1,1,b\noffer.csv:3: 2,1,x\ncategory.csv:5: 4,green,2\ncategory.csv:3: 2,tea,1\nproduct.csv:4: 3,9,\nseller.csv:3: b,Oslo\nshelf.csv:3: 1,4,low\n\n",
		"3": "product.csv:4: 3,9,\n\n",
	} {
		code, stdout, stderr := etl(t.Context(), "explain", "shop", id, "--csv", directory, "--shape", filepath.Join(directory, "shop.yaml"))
		lines, _, _ := strings.Cut(stdout, "item, at")
		got, wanted := strings.Split(lines, "\n"), strings.Split(want, "\n")
		slices.Sort(got)
		slices.Sort(wanted)
		if code != exitOK || !slices.Equal(got, wanted) {
			t.Errorf("%s: exit code %d, stdout %q, want %q; stderr %s", id, code, lines, want, stderr)
		}
	}
}
