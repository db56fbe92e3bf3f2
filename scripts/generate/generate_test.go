package main

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/csv"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/goccy/go-json"
	"github.com/google/go-cmp/cmp"
)

var fileNames = []string{"product.csv", "features.csv", "styles.csv", "photos.csv", "skus.csv", "related.csv"}

// generated runs the command into a new directory and returns the directory and the output.
func generated(t *testing.T, flags ...string) (directory, stdout string) {
	t.Helper()
	directory = t.TempDir()
	return directory, rerun(t, directory, flags...)
}

func rerun(t *testing.T, directory string, flags ...string) string {
	t.Helper()
	var stdout bytes.Buffer
	if err := execute(t.Context(), append(flags, "--out", directory), &stdout, io.Discard); err != nil {
		t.Fatalf("generate %q: %v", flags, err)
	}
	return stdout.String()
}

func contents(t *testing.T, directory, name string) []byte {
	t.Helper()
	text, err := os.ReadFile(filepath.Join(directory, name))
	if err != nil {
		t.Fatal(err)
	}
	return text
}

func readReport(t *testing.T, directory string) report {
	t.Helper()
	var result report
	decoder := json.NewDecoder(bytes.NewReader(contents(t, directory, reportName)))
	decoder.DisallowUnknownFields()
	if err := decoder.Decode(&result); err != nil {
		t.Fatal(err)
	}
	return result
}

// parsed returns a file's rows, without the header, as encoding/csv reads them.
func parsed(t *testing.T, directory, name string) [][]string {
	t.Helper()
	records, err := csv.NewReader(bytes.NewReader(contents(t, directory, name))).ReadAll()
	if err != nil {
		t.Fatalf("%s: %v", name, err)
	}
	return records[1:]
}

func number(t *testing.T, field string) int64 {
	t.Helper()
	value, err := strconv.ParseInt(field, 10, 64)
	if err != nil {
		t.Fatal(err)
	}
	return value
}

// within fails unless got is within a share of want.
func within(t *testing.T, what string, got, want, share float64) {
	t.Helper()
	if math.Abs(got-want) > share*want {
		t.Errorf("%s: %.4f, want %.4f ±%.1f %%", what, got, want, share*100)
	}
}

func digests(t *testing.T, directory string) map[string]string {
	t.Helper()
	result := map[string]string{}
	for _, name := range append(slices.Clone(fileNames), reportName) {
		sum := sha256.Sum256(contents(t, directory, name))
		result[name] = hex.EncodeToString(sum[:8])
	}
	return result
}

func TestSameFlagsSameBytes(t *testing.T) {
	first, _ := generated(t, "--products=3000", "--seed=5", "--dirt")
	second, _ := generated(t, "--products=3000", "--seed=5", "--dirt")
	other, _ := generated(t, "--products=3000", "--seed=6", "--dirt")
	want, again, different := digests(t, first), digests(t, second), digests(t, other)
	for name := range want {
		if again[name] != want[name] {
			t.Errorf("%s differs between two runs with the same flags", name)
		}
		if different[name] == want[name] {
			t.Errorf("%s is the same for two seeds", name)
		}
	}
}

// TestBytesOfASeed fails when the files of a seed change. If the machine or the version of Go changed, that is a defect. If the generator
// was changed on purpose, replace the digests.
func TestBytesOfASeed(t *testing.T) {
	directory, _ := generated(t, "--products=500", "--seed=7", "--dirt")
	want := map[string]string{
		"product.csv":    "ec1b35533ce2113f",
		"features.csv":   "bc6ce8bc5670a537",
		"styles.csv":     "04828bef8587d7a0",
		"photos.csv":     "bfa10e272defb9fd",
		"skus.csv":       "8d47da3ba9e197d7",
		"related.csv":    "aad02978087847ae",
		"generated.json": "75b702cfd0494e8d",
	}
	if diff := cmp.Diff(want, digests(t, directory)); diff != "" {
		t.Errorf("digests (-want +got):\n%s", diff)
	}
}

func TestDirtChangesOnlySpoiledRows(t *testing.T) {
	clean, _ := generated(t, "--products=3000")
	dirty, _ := generated(t, "--products=3000", "--dirt")
	for _, file := range readReport(t, dirty).Files {
		spoiled := map[int]bool{}
		for _, dirt := range file.Dirt {
			for _, line := range dirt.Lines {
				spoiled[int(line)] = true
			}
		}
		before := strings.Split(string(contents(t, clean, file.Name)), "\n")
		after := strings.Split(string(contents(t, dirty, file.Name)), "\n")
		if len(before) != len(after) {
			t.Fatalf("%s: %d lines clean, %d dirty", file.Name, len(before), len(after))
		}
		for i := range before {
			if differs := before[i] != after[i]; differs != spoiled[i+1] {
				t.Errorf("%s line %d: differs %v, reported %v\n%s\n%s", file.Name, i+1, differs, spoiled[i+1], before[i], after[i])
			}
		}
	}
}

// TestChange compares a changed catalog with the unchanged one, field by field.
func TestChange(t *testing.T) {
	before, _ := generated(t, "--products=4000", "--dirt")
	after, stdout := generated(t, "--products=4000", "--dirt", "--change=0.05")
	again, _ := generated(t, "--products=4000", "--dirt", "--change=0.05")
	if diff := cmp.Diff(digests(t, after), digests(t, again)); diff != "" {
		t.Errorf("two runs with the same flags differ:\n%s", diff)
	}
	lines := func(directory, name string) []string {
		return strings.Split(string(contents(t, directory, name)), "\n")
	}
	productOf := map[string]string{}
	for _, row := range parsed(t, before, "styles.csv") {
		productOf[row[0]] = row[1]
	}
	changed := map[string][]string{} // a product's files with a changed row
	for _, name := range fileNames {
		old, fresh := lines(before, name), lines(after, name)
		if len(old) != len(fresh) {
			t.Fatalf("%s has %d lines, and %d after the change", name, len(old), len(fresh))
		}
		for i := range old {
			if old[i] == fresh[i] {
				continue
			}
			at := strings.LastIndex(old[i], ",")
			if !strings.HasPrefix(fresh[i], old[i][:at+1]) {
				t.Errorf("%s line %d differs in more than its last field:\n%s\n%s", name, i+1, old[i], fresh[i])
			}
			product, _, _ := strings.Cut(old[i], ",")
			if name != "product.csv" {
				product = productOf[strings.Split(old[i], ",")[1]]
			}
			changed[product] = append(changed[product], name)
		}
	}
	both := 0
	for product, files := range changed {
		switch strings.Join(files, " ") {
		case "product.csv":
		case "product.csv skus.csv":
			both++
		default:
			t.Errorf("product %s has changed rows in %v", product, files)
		}
	}
	within(t, "changed products", float64(len(changed)), 200, 0.2)
	within(t, "changed products with a changed SKU", float64(both), 0.79*float64(len(changed)), 0.2)
	report := readReport(t, after)
	if report.Change != 0.05 || report.Changed != int64(len(changed)) {
		t.Errorf("the report has change %v and %d changed products, want 0.05 and %d", report.Change, report.Changed, len(changed))
	}
	if want := fmt.Sprintf("%d products are changed\n", len(changed)); !strings.Contains(stdout, want) {
		t.Errorf("no %q in the output:\n%s", want, stdout)
	}

	all, _ := generated(t, "--products=500", "--change=1")
	if report := readReport(t, all); report.Changed != 500 {
		t.Errorf("%d of 500 changed, want all", report.Changed)
	}
	larger, smaller := catalog{seed: 1, change: 0.3}, catalog{seed: 1, change: 0.1}
	var s stream
	for id := range int64(1000) {
		if smaller.changes(&s, id) && !larger.changes(&s, id) {
			t.Fatalf("product %d is changed at share 0.1 and not at 0.3", id)
		}
	}
}

func TestShuffle(t *testing.T) {
	plain, _ := generated(t, "--products=3000", "--dirt")
	shuffled, _ := generated(t, "--products=3000", "--dirt", "--shuffle")
	again, _ := generated(t, "--products=3000", "--dirt", "--shuffle")
	if diff := cmp.Diff(digests(t, shuffled), digests(t, again)); diff != "" {
		t.Errorf("two runs with the same flags differ:\n%s", diff)
	}
	files := readReport(t, shuffled).Files
	for i, file := range readReport(t, plain).Files {
		old := strings.Split(string(contents(t, plain, file.Name)), "\n")
		fresh := strings.Split(string(contents(t, shuffled, file.Name)), "\n")
		if old[0] != fresh[0] || files[i].Rows != file.Rows || files[i].Bytes != file.Bytes {
			t.Errorf("%s: header %q, report %+v, want %q and %+v", file.Name, fresh[0], files[i], old[0], file)
		}
		// Each parent has the same rows in the same order. The parents have another order, and each occurs once.
		block := func(row string) string {
			if file.Name == "product.csv" {
				key, _, _ := strings.Cut(row, ",")
				return key
			}
			return strings.Split(row, ",")[1]
		}
		gather := func(rows []string) (order []string, blocks map[string]string) {
			blocks = map[string]string{}
			for i, row := range rows {
				parent := block(row)
				if i == 0 || parent != block(rows[i-1]) {
					order = append(order, parent)
				}
				blocks[parent] += row + "\n"
			}
			return order, blocks
		}
		oldOrder, oldBlocks := gather(old[1:])
		freshOrder, freshBlocks := gather(fresh[1:])
		if diff := cmp.Diff(oldBlocks, freshBlocks); diff != "" {
			t.Errorf("%s: the rows of some parents differ:\n%s", file.Name, diff)
		}
		if len(freshOrder) != len(freshBlocks) {
			t.Errorf("%s: %d blocks of %d parents", file.Name, len(freshOrder), len(freshBlocks))
		}
		kept := 0
		for i := range min(len(oldOrder), len(freshOrder)) {
			if oldOrder[i] == freshOrder[i] {
				kept++
			}
		}
		if kept > len(oldOrder)/50 {
			t.Errorf("%s: %d of %d blocks have the same position as before", file.Name, kept, len(oldOrder))
		}
		for j, dirt := range file.Dirt {
			var want, got []string
			for _, line := range dirt.Lines {
				want = append(want, old[line-1])
			}
			for _, line := range files[i].Dirt[j].Lines {
				got = append(got, fresh[line-1])
			}
			if !slices.IsSorted(files[i].Dirt[j].Lines) {
				t.Errorf("%s %s: the lines are not ascending", file.Name, dirt.Kind)
			}
			slices.Sort(want)
			slices.Sort(got)
			if !slices.Equal(got, want) {
				t.Errorf("%s %s: other rows are reported", file.Name, dirt.Kind)
			}
		}
	}
}

// TestShuffleKeepsSpoiledRowsFromTheEnd generates catalogs so small that the last row would often be a spoiled one.
func TestShuffleKeepsSpoiledRowsFromTheEnd(t *testing.T) {
	for seed := range 100 {
		directory, _ := generated(t, "--products=4", "--dirt", "--shuffle", "--seed", fmt.Sprint(seed))
		if text := contents(t, directory, "photos.csv"); !bytes.HasSuffix(text, []byte(`"`)) {
			t.Errorf("seed %d: photos.csv ends in %.30q", seed, text[max(0, len(text)-30):])
		}
	}
}

func TestWeightsGiveTheRealRowCounts(t *testing.T) {
	mean := func(choices []int64) float64 {
		if len(choices) != 10_000 {
			t.Errorf("weights sum to %d, want 10000", len(choices))
		}
		sum := int64(0)
		for _, choice := range choices {
			sum += choice
		}
		return float64(sum) / float64(len(choices))
	}
	sizes := 0
	for _, category := range categories {
		sizes += len(category.sizes)
	}
	within(t, "styles", mean(stylesPerProduct)*realProducts, realStyles, 0.001)
	within(t, "features", mean(featuresPerProduct)*realProducts, realFeatures, 0.001)
	within(t, "related", mean(relatedPerProduct)*realProducts, realRelated, 0.001)
	within(t, "photos", mean(photosPerStyle)*realStyles, realPhotos, 0.001)
	within(t, "skus", float64(sizes)/float64(len(categories))*realStyles, realSKUs, 0.001)
}

func TestRowCounts(t *testing.T) {
	directory, stdout := generated(t, "--products=20000")
	want := map[string]float64{
		"product.csv": 20000, "features.csv": realFeatures, "styles.csv": realStyles,
		"photos.csv": realPhotos, "skus.csv": realSKUs, "related.csv": realRelated,
	}
	for _, file := range readReport(t, directory).Files {
		text := contents(t, directory, file.Name)
		if got := int64(bytes.Count(text, []byte("\n"))); got != file.Rows {
			t.Errorf("%s has %d rows, and %d in the report", file.Name, got, file.Rows)
		}
		if int64(len(text)) != file.Bytes {
			t.Errorf("%s has %d bytes, and %d in the report", file.Name, len(text), file.Bytes)
		}
		if file.Name == "product.csv" {
			within(t, file.Name, float64(file.Rows), 20000, 0)
		} else {
			within(t, file.Name, float64(file.Rows), want[file.Name]/realProducts*20000, 0.03)
		}
		if line := fmt.Sprint(file.Name, " ", file.Rows, " ", file.Bytes); !strings.Contains(strings.Join(strings.Fields(stdout), " "), line) {
			t.Errorf("no %q in the output:\n%s", line, stdout)
		}
	}
}

func TestDialect(t *testing.T) {
	directory, _ := generated(t, "--products=3000")
	// T is quoted text, N is a number, 0 is quoted text or null, ? is a number or null.
	files := map[string]struct{ header, form string }{
		"product.csv":  {"id,name,slogan,description,category,default_price", "NTTTTN"},
		"features.csv": {"id,product_id,feature,value", "NNT0"},
		"styles.csv":   {"id,productId,name,sale_price,original_price,default_style", "NNT?NN"},
		"photos.csv":   {"id,styleId,url,thumbnail_url", "NNTT"},
		"skus.csv":     {"id,styleId,size,quantity", "NNTN"},
		"related.csv":  {"id,current_product_id,related_product_id", "NNN"},
	}
	for _, name := range fileNames {
		want := files[name]
		text := contents(t, directory, name)
		if !utf8.Valid(text) {
			t.Errorf("%s is not UTF-8", name)
		}
		if bytes.HasSuffix(text, []byte("\n")) || bytes.Contains(text, []byte("\r")) || bytes.Contains(text, []byte("\n\n")) {
			t.Errorf("%s ends with a newline, or has a CR or an empty line", name)
		}
		lines := strings.Split(string(text), "\n")
		if lines[0] != want.header {
			t.Errorf("%s: header %q, want %q", name, lines[0], want.header)
		}
		rows := parsed(t, directory, name)
		if len(rows) != len(lines)-1 {
			t.Fatalf("%s: encoding/csv reads %d rows, want %d", name, len(rows), len(lines)-1)
		}
		for i, row := range rows {
			if got := written(t, want.form, row); got != lines[i+1] {
				t.Fatalf("%s line %d is\n%s, want\n%s", name, i+2, lines[i+1], got)
			}
		}
	}
}

// written formats a row of one of the forms of TestDialect as in the real files.
func written(t *testing.T, form string, row []string) string {
	t.Helper()
	var fields []string
	for i, field := range row {
		kind := form[i]
		null := field == "null" && (kind == '0' || kind == '?')
		if kind == 'N' || (kind == '?' && !null) {
			number(t, field)
		}
		if (kind == 'T' || kind == '0') && !null {
			field = `"` + strings.ReplaceAll(field, `"`, `""`) + `"`
		}
		fields = append(fields, field)
	}
	return strings.Join(fields, ",")
}

func TestTextsHaveSpecialCharacters(t *testing.T) {
	directory, _ := generated(t, "--products=20000")
	products, values := contents(t, directory, "product.csv"), contents(t, directory, "features.csv")
	for _, text := range [][]byte{products, values} {
		for what, part := range map[string]string{"doubled quote": `""`, "comma": ", ", "accent": "é"} {
			if !bytes.Contains(text, []byte(part)) {
				t.Errorf("no %s in a text of %.40q...", what, text)
			}
		}
	}
	if !bytes.Contains(products, []byte("👟")) {
		t.Error("no character of four bytes in product.csv")
	}
	within(t, "length of a product's row", float64(len(products))/20000, 286.6, 0.05) // as in the real rows
}

func TestIDsAndParents(t *testing.T) {
	directory, _ := generated(t, "--products=3000")
	styles := int64(len(parsed(t, directory, "styles.csv")))
	files := map[string]struct {
		lastParent int64
		swaps      bool
	}{
		"product.csv": {}, "features.csv": {3000, false}, "styles.csv": {3000, false}, "photos.csv": {styles, true},
		"skus.csv": {styles, true}, "related.csv": {3000, false},
	}
	for _, name := range fileNames {
		want := files[name]
		swaps := 0
		parent := int64(1)
		rows := parsed(t, directory, name)
		for i, row := range rows {
			id, place := number(t, row[0]), int64(i+1)
			switch {
			case id == place:
			case want.swaps && id == place+1 && id%10 == 8 && rows[i+1][0] == fmt.Sprint(place) && rows[i+1][1] == row[1]:
				swaps++
			case want.swaps && id == place-1 && id%10 == 7:
			default:
				t.Fatalf("%s row %d has id %d", name, place, id)
			}
			if want.lastParent == 0 {
				continue
			}
			if next := number(t, row[1]); next < parent || next > want.lastParent {
				t.Fatalf("%s row %d: parent %d after %d, the last is %d", name, place, next, parent, want.lastParent)
			} else {
				parent = next
			}
		}
		if (swaps > 0) != want.swaps || swaps > len(rows)/20 {
			t.Errorf("%s has %d swapped pairs in %d rows", name, swaps, len(rows))
		}
		if want.lastParent-parent > 50 {
			t.Errorf("%s ends with parent %d of %d", name, parent, want.lastParent)
		}
	}
}

func TestDistributions(t *testing.T) {
	directory, _ := generated(t, "--products", fmt.Sprint(distributed))
	for name, test := range map[string]func(*testing.T, string){
		"prices":         testPrices,
		"styles":         testStyles,
		"default styles": testDefaultStyles,
		"sizes":          testSizes,
		"photos":         testPhotos,
		"features":       testFeatures,
		"related":        testRelated,
	} {
		t.Run(name, func(t *testing.T) { test(t, directory) })
	}
}

// distributed is the number of products in the catalog of TestDistributions.
const distributed = 20_000

// countChildren returns the number of rows for each parent, which is in the second field.
func countChildren(rows [][]string) map[string]int {
	count := map[string]int{}
	for _, row := range rows {
		count[row[1]]++
	}
	return count
}

func testPrices(t *testing.T, directory string) {
	for _, row := range parsed(t, directory, "product.csv") {
		if price := number(t, row[5]); price < 1 || (price > 1000 && price != 500_000_000) {
			t.Errorf("price %d", price)
		}
	}
}

func testStyles(t *testing.T, directory string) {
	rows := parsed(t, directory, "styles.csv")
	withoutSale := 0
	for _, row := range rows {
		if row[3] == "null" {
			withoutSale++
		} else if sale := number(t, row[3]); sale < 1 || sale > number(t, row[4]) {
			t.Errorf("sale price %d of %s", sale, row[4])
		}
	}
	within(t, "share of products without styles", 1-float64(len(countChildren(rows)))/distributed, 0.21, 0.05)
	within(t, "share of styles without a sale price", float64(withoutSale)/float64(len(rows)), 0.875, 0.02)
}

func testDefaultStyles(t *testing.T, directory string) {
	styles, defaults, firstIsDefault := map[string]int{}, map[string]int{}, 0
	for _, row := range parsed(t, directory, "styles.csv") {
		styles[row[1]]++
		defaults[row[1]] += int(number(t, row[5]))
		if row[5] == "1" && styles[row[1]] == 1 {
			firstIsDefault++
		}
	}
	without := 0
	for product, count := range defaults {
		if count > 1 {
			t.Fatalf("product %s has %d default styles", product, count)
		}
		without += 1 - count
	}
	within(t, "share of products whose first style is the default", float64(firstIsDefault)/float64(len(styles)), 0.97, 0.02)
	within(t, "share of products without a default style", float64(without)/float64(len(styles)), 0.02, 0.3)
}

func testSizes(t *testing.T, directory string) {
	category, product := map[string]string{}, map[string]string{}
	for _, row := range parsed(t, directory, "product.csv") {
		category[row[0]] = row[4]
	}
	for _, row := range parsed(t, directory, "styles.csv") {
		product[row[0]] = row[1]
	}
	sizes := map[string][]string{}
	for _, row := range parsed(t, directory, "skus.csv") {
		sizes[row[1]] = append(sizes[row[1]], row[2])
		if quantity := number(t, row[3]); quantity < 0 || quantity > 59 {
			t.Fatalf("quantity %d", quantity)
		}
	}
	sets := map[string]int{}
	for style, list := range sizes {
		sets[strings.Join(list, " ")]++
		kind := category[product[style]]
		if shoes := slices.Contains([]string{"Shoes", "Boots", "Heels"}, kind); shoes != (len(list) == 11) {
			t.Fatalf("style %s of a %s product has sizes %q", style, kind, list)
		}
	}
	styles := float64(len(product))
	within(t, "share of styles with 6 sizes", float64(sets["XS S M L XL XXL"])/styles, 16./23, 0.03)
	within(t, "share of styles with 11 sizes", float64(sets["7 7.5 8 8.5 9 9.5 10 10.5 11 11.5 12"])/styles, 3./23, 0.1)
	within(t, "share of styles with one size", float64(sets["One Size"])/styles, 4./23, 0.1)
	if sets["XS S M L XL XL"] == 0 || len(sets) != 4 || len(sizes) == len(product) {
		t.Errorf("sizes %v of %d styles, of which %d have any", sets, len(product), len(sizes))
	}
}

func testPhotos(t *testing.T, directory string) {
	rows, addresses := parsed(t, directory, "photos.csv"), map[string]bool{}
	for _, row := range rows {
		addresses[row[2]] = true
		address, _, _ := strings.Cut(row[2], "?")
		if thumbnail, query, _ := strings.Cut(row[3], "?"); thumbnail != address || !strings.Contains(query, "&w=300&") ||
			!strings.HasPrefix(address, "https://images.unsplash.com/") {
			t.Fatalf("photo %q with thumbnail %q", row[2], row[3])
		}
	}
	styles := float64(len(parsed(t, directory, "styles.csv")))
	within(t, "share of styles without photos", 1-float64(len(countChildren(rows)))/styles, 0.02, 0.2)
	if len(addresses) != len(photoPool) {
		t.Errorf("%d addresses of a pool of %d", len(addresses), len(photoPool))
	}
}

func testFeatures(t *testing.T, directory string) {
	rows, nulls := parsed(t, directory, "features.csv"), 0
	for _, row := range rows {
		if row[3] == "null" {
			nulls++
		}
	}
	within(t, "share of products without features", 1-float64(len(countChildren(rows)))/distributed, 0.01, 0.3)
	within(t, "share of features without a value", float64(nulls)/float64(len(rows)), 0.46, 0.1)
}

func testRelated(t *testing.T, directory string) {
	rows := parsed(t, directory, "related.csv")
	for _, row := range rows {
		if related := number(t, row[2]); related < 1 || related > distributed {
			t.Fatalf("related product %d of %d", related, distributed)
		}
	}
	within(t, "share of products without related ones", 1-float64(len(countChildren(rows)))/distributed, 0.0991, 0.1)
}

// TestReportedDirtIsInTheFiles compares the report with the dirt in the lines of the files.
func TestReportedDirtIsInTheFiles(t *testing.T) {
	directory, stdout := generated(t, "--products=20000", "--dirt")
	found := map[string][]int64{}
	record := func(kind string, line int, has bool) {
		if has {
			found[kind] = append(found[kind], int64(line))
		}
	}
	scan := func(name string, visit func(line int, text string)) {
		for i, text := range strings.Split(string(contents(t, directory, name)), "\n") {
			if i > 0 {
				visit(i+1, text)
			}
		}
	}
	scan("features.csv", func(line int, text string) {
		record("features.csv quoted_null", line, strings.HasSuffix(text, `,"null"`))
	})
	scan("photos.csv", func(line int, text string) {
		record("photos.csv missing_closing_quote", line, !strings.HasSuffix(text, `"`))
		record("photos.csv uhttps", line, strings.Contains(text, `,"uhttps://`))
	})
	parent, earlier := "", map[string]bool{}
	scan("related.csv", func(line int, text string) {
		fields := strings.Split(text, ",")
		if fields[1] != parent {
			parent, earlier = fields[1], map[string]bool{}
		}
		record("related.csv zero_related_product_id", line, fields[2] == "0")
		record("related.csv duplicate", line, earlier[fields[2]])
		record("related.csv self_reference", line, fields[2] == parent)
		earlier[fields[2]] = true
	})

	kinds := 0
	for _, file := range readReport(t, directory).Files {
		for _, dirt := range file.Dirt {
			kinds++
			lines := found[file.Name+" "+dirt.Kind]
			if int64(len(lines)) != dirt.Rows || dirt.Rows == 0 {
				t.Errorf("%s %s: %d rows found, %d reported", file.Name, dirt.Kind, len(lines), dirt.Rows)
			}
			if dirt.Lines != nil && !slices.Equal(lines, dirt.Lines) {
				t.Errorf("%s %s: lines %v found, %v reported", file.Name, dirt.Kind, lines, dirt.Lines)
			}
			line := fmt.Sprint(file.Name, " ", dirt.Kind, " ", dirt.Rows, " ", dirt.Fate)
			if !strings.Contains(strings.Join(strings.Fields(stdout), " "), line) {
				t.Errorf("no %q in the output:\n%s", line, stdout)
			}
		}
	}
	if kinds != len(found) || kinds != 6 {
		t.Errorf("%d kinds reported, %d found, want 6", kinds, len(found))
	}
}

func TestDirtScales(t *testing.T) {
	tests := []struct {
		products                      string
		quotes, letters, zeros, nulls int64
	}{
		{"20", 1, 1, 1, 0}, // all of them are shown
		{"300", 5, 3, 1, 1},
		{"50000", 10, 500, 3, 55},
	}
	for _, test := range tests {
		t.Run(test.products, func(t *testing.T) {
			directory, _ := generated(t, "--dirt", "--products", test.products)
			got := map[string]int64{}
			for _, file := range readReport(t, directory).Files {
				for _, dirt := range file.Dirt {
					got[dirt.Kind] = dirt.Rows
				}
			}
			want := map[string]int64{
				"missing_closing_quote": test.quotes, "uhttps": test.letters, "zero_related_product_id": test.zeros,
				"quoted_null": test.nulls,
			}
			for kind, rows := range want {
				if difference := got[kind] - rows; difference > 1 || difference < -1 || (got[kind] == 0) != (rows == 0) {
					t.Errorf("%s: %d rows, want %d", kind, got[kind], rows)
				}
			}
		})
	}
	full := catalog{products: realProducts}
	letters, zeros := full.expected(realStrayLetters), full.expected(realZeroRelated)
	if letters != realStrayLetters || zeros != realZeroRelated {
		t.Errorf("at full size %d uhttps and %d zeros, want %d and %d", letters, zeros, realStrayLetters, realZeroRelated)
	}
}

// TestOneProduct checks in the smallest catalog that each file with rows has a spoiled one.
func TestOneProduct(t *testing.T) {
	for seed := range 20 {
		directory, _ := generated(t, "--products=1", "--dirt", "--seed", fmt.Sprint(seed))
		if rows := len(parsed(t, directory, "product.csv")); rows != 1 {
			t.Errorf("seed %d: %d products", seed, rows)
		}
		for _, file := range readReport(t, directory).Files {
			for _, dirt := range file.Dirt {
				certain := slices.Contains([]string{"uhttps", "zero_related_product_id"}, dirt.Kind)
				if certain && file.Rows > 0 && dirt.Rows != 1 {
					t.Errorf("seed %d: %d %s in %d rows of %s", seed, dirt.Rows, dirt.Kind, file.Rows, file.Name)
				}
			}
		}
	}
}

// TestShownProductsAreComplete checks that the first products, and all products related to them, have the data that clients show.
func TestShownProductsAreComplete(t *testing.T) {
	for _, flags := range [][]string{
		{"--products=10000", "--dirt"}, // the flags of stack up
		{"--products=500", "--dirt", "--seed=9", "--change=0.5"},
		{"--products=120", "--malformed", "--seed=3"},
		{"--products=7", "--dirt"},
		{"--products=100", "--seed=4"}, // without the exception, some of these styles have no SKUs
	} {
		t.Run(strings.Join(flags, " "), func(t *testing.T) {
			directory, _ := generated(t, flags...)
			children := func(name string) map[string]int { return countChildren(lenient(t, directory, name)) }
			styles, photos, skus := children("styles.csv"), children("photos.csv"), children("skus.csv")
			isShown := func(id string) bool { return number(t, id) >= 1 && number(t, id) <= shown }
			for id := 1; id <= min(shown, int(readReport(t, directory).Products)); id++ {
				if styles[fmt.Sprint(id)] == 0 {
					t.Errorf("product %d has no style", id)
				}
			}
			for _, row := range lenient(t, directory, "styles.csv") {
				if isShown(row[1]) && (photos[row[0]] == 0 || skus[row[0]] == 0) {
					t.Errorf("style %s of product %s has %d photos and %d SKUs", row[0], row[1], photos[row[0]], skus[row[0]])
				}
			}
			for _, row := range lenient(t, directory, "related.csv") {
				if isShown(row[1]) && !isShown(row[2]) && row[2] != "0" && styles[row[2]] == 0 {
					t.Errorf("product %s is related to %s, which has no style", row[1], row[2])
				}
			}
			for line := range strings.Lines(string(contents(t, directory, "features.csv"))) {
				fields := strings.Split(strings.TrimSpace(line), ",")
				if strings.HasSuffix(fields[len(fields)-1], `"null"`) && isShown(fields[1]) {
					t.Errorf("a feature's value is the word null: %s", line)
				}
			}
		})
	}
}

// lenient returns the fields of a file's rows, without unquoting them. It omits rows whose first two fields are not numbers; in
// related.csv, the first three.
func lenient(t *testing.T, directory, name string) (rows [][]string) {
	t.Helper()
	for line := range strings.Lines(string(contents(t, directory, name))) {
		fields := strings.Split(strings.TrimSpace(line), ",")
		plain := len(fields) >= 3
		for i := 0; plain && i < 2; i++ {
			_, err := strconv.ParseInt(fields[i], 10, 64)
			plain = err == nil
		}
		if plain && name == "related.csv" {
			_, err := strconv.ParseInt(fields[2], 10, 64)
			plain = err == nil
		}
		if plain {
			rows = append(rows, fields)
		}
	}
	return rows
}

func TestEarlierFilesAreReplaced(t *testing.T) {
	directory, _ := generated(t, "--products=300", "--dirt")
	rerun(t, directory, "--products=200")
	fresh, _ := generated(t, "--products=200")
	if diff := cmp.Diff(digests(t, fresh), digests(t, directory)); diff != "" {
		t.Errorf("a second run into a directory differs from a first (-first +second):\n%s", diff)
	}
}

func TestForeignFilesAreKept(t *testing.T) {
	directory := t.TempDir()
	path := filepath.Join(directory, "styles.csv")
	if err := os.WriteFile(path, []byte("precious"), 0o600); err != nil {
		t.Fatal(err)
	}
	err := execute(t.Context(), []string{"--products=5", "--out", directory}, io.Discard, io.Discard)
	if err == nil || !strings.Contains(err.Error(), "already contains styles.csv") || !strings.Contains(err.Error(), "--out") {
		t.Errorf("error %v, want one that names styles.csv and --out", err)
	}
	left, text := listed(t, directory), contents(t, directory, "styles.csv")
	if !slices.Equal(left, []string{"styles.csv"}) || string(text) != "precious" {
		t.Errorf("the directory has %q, and styles.csv has %q", left, text)
	}
}

func listed(t *testing.T, directory string) []string {
	t.Helper()
	entries, err := os.ReadDir(directory)
	if err != nil {
		t.Fatal(err)
	}
	var names []string
	for _, entry := range entries {
		names = append(names, entry.Name())
	}
	return names
}

// cancelOnWrite is the output of the log. It interrupts the run when the first file is complete.
type cancelOnWrite context.CancelFunc

func (c cancelOnWrite) Write(p []byte) (int, error) {
	c()
	return len(p), nil
}

func TestInterruptionLeavesTheEarlierFiles(t *testing.T) {
	directory, _ := generated(t, "--products=100")
	before := digests(t, directory)
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	err := execute(ctx, []string{"--products=50000", "--out", directory}, io.Discard, cancelOnWrite(cancel))
	if !errors.Is(err, context.Canceled) || !strings.Contains(err.Error(), "interrupted") {
		t.Errorf("error %v, want an interruption", err)
	}
	if names := listed(t, directory); len(names) != 7 {
		t.Errorf("the directory has %q", names)
	}
	if diff := cmp.Diff(before, digests(t, directory)); diff != "" {
		t.Errorf("the files changed (-before +after):\n%s", diff)
	}
}

func TestFailedFileIsNamed(t *testing.T) {
	directory := t.TempDir()
	if err := os.Mkdir(filepath.Join(directory, "skus.csv.partial"), 0o700); err != nil { // cannot be written
		t.Fatal(err)
	}
	err := execute(t.Context(), []string{"--products=5", "--out", directory}, io.Discard, io.Discard)
	if err == nil || !strings.Contains(err.Error(), "write skus.csv") {
		t.Errorf("error %v, want one that names skus.csv", err)
	}
	for _, name := range listed(t, directory) {
		if !strings.HasSuffix(name, partialSuffix) {
			t.Errorf("%s exists although the run failed", name)
		}
	}
}

// TestReportIsRemovedWithItsFiles makes a rename fail. The old report would then describe files that no longer exist.
func TestReportIsRemovedWithItsFiles(t *testing.T) {
	directory, _ := generated(t, "--products=5")
	path := filepath.Join(directory, "related.csv")
	if err := os.Remove(path); err != nil {
		t.Fatal(err)
	}
	if err := os.Mkdir(path, 0o700); err != nil { // cannot be renamed over
		t.Fatal(err)
	}
	err := execute(t.Context(), []string{"--products=6", "--out", directory}, io.Discard, io.Discard)
	if err == nil || !strings.Contains(err.Error(), "complete related.csv") {
		t.Errorf("error %v, want one that names related.csv", err)
	}
	if names := listed(t, directory); slices.Contains(names, reportName) {
		t.Errorf("the directory has %q, with a report of files that no longer exist", names)
	}
}

// fullDisk accepts a number of bytes and then fails.
type fullDisk struct{ free int }

var errFull = errors.New("no space left on device")

func (d *fullDisk) Write(p []byte) (int, error) {
	if len(p) > d.free {
		return d.free, errFull
	}
	d.free -= len(p)
	return len(p), nil
}

func TestFullDiskStopsEveryFile(t *testing.T) {
	for free := range 3 {
		c := catalog{products: 20_000, seed: 1}
		for _, source := range c.sources() {
			if _, err := c.writeSource(t.Context(), source, &fullDisk{free * 1000}); !errors.Is(err, errFull) {
				t.Errorf("%s with %d bytes free: %v, want %v", source.name, free*1000, err, errFull)
			}
		}
	}
}

func TestCommandLine(t *testing.T) {
	out := filepath.Join(t.TempDir(), "out")
	tests := []struct {
		name  string
		args  []string
		error string
	}{
		{"no products", []string{"--products=0", "--out", out}, "--products is 0: it must be at least 1"},
		{"fewer", []string{"--products=-3", "--out", out}, "--products is -3: it must be at least 1"},
		{"no number", []string{"--products=many", "--out", out}, "--products"},
		{"negative seed", []string{"--products=1", "--seed=-1", "--out", out}, "--seed"},
		{"products missing", []string{"--out", out}, "--products"},
		{"share above 1", []string{"--products=1", "--change=1.5", "--out", out}, "--change is 1.5: it must be a share from 0 to 1"},
		{"share below 0", []string{"--products=1", "--change=-0.1", "--out", out}, "--change is -0.1"},
		{
			"malformed and shuffled",
			[]string{"--products=1", "--malformed", "--shuffle", "--out", out},
			"--malformed and --shuffle exclude each other",
		},
		{"out missing", []string{"--products=1"}, "--out"},
		{"out empty", []string{"--products=1", "--out="}, "--out is empty"},
		{"unknown flag", []string{"--products=1", "--out", out, "--frce"}, "--frce"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			err := execute(t.Context(), test.args, io.Discard, io.Discard)
			if err == nil || !strings.Contains(err.Error(), test.error) {
				t.Errorf("error %v, want one with %q", err, test.error)
			}
		})
	}
	if _, err := os.Stat(out); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("an invalid command line created %s", out)
	}

	var help bytes.Buffer
	if err := execute(t.Context(), []string{"--help"}, &help, io.Discard); err != nil {
		t.Errorf("--help: %v", err)
	}
	if !strings.Contains(help.String(), "go run ./scripts/generate --products 10000") {
		t.Errorf("the help has no example:\n%s", help.String())
	}
}

// TestMalformedOnlyAddsRows compares the files without the added rows with those of a run without the flag.
func TestMalformedOnlyAddsRows(t *testing.T) {
	plain, _ := generated(t, "--products=3000", "--dirt")
	spoiled, stdout := generated(t, "--products=3000", "--dirt", "--malformed")
	again, _ := generated(t, "--products=3000", "--dirt", "--malformed")
	if diff := cmp.Diff(digests(t, again), digests(t, spoiled)); diff != "" {
		t.Errorf("two runs with the same flags differ:\n%s", diff)
	}
	before := readReport(t, plain)
	for i, file := range readReport(t, spoiled).Files {
		old := strings.Split(string(contents(t, plain, file.Name)), "\n")
		fresh := strings.Split(strings.TrimSuffix(string(contents(t, spoiled, file.Name)), "\n"), "\n")
		if file.Rows != int64(len(fresh)-1) {
			t.Errorf("%s has %d rows, and %d in the report", file.Name, len(fresh)-1, file.Rows)
		}
		added, quarters := map[int]bool{}, map[int]int{}
		kinds := 0
		for j, dirt := range file.Dirt {
			if dirt.Fate != fateRejected {
				// The same rows as without the flag are dirty, on other lines.
				was := before.Files[i].Dirt[j]
				for n, line := range dirt.Lines {
					if fresh[line-1] != old[was.Lines[n]-1] {
						t.Errorf("%s:%d is reported as %s: %s", file.Name, line, dirt.Kind, fresh[line-1])
					}
				}
				if len(dirt.Lines) != len(was.Lines) || dirt.Rows != was.Rows {
					t.Errorf("%s: %d rows are %s, and were %d", file.Name, dirt.Rows, dirt.Kind, was.Rows)
				}
				continue
			}
			kinds++
			if dirt.Rows < 1 || dirt.Rows != int64(len(dirt.Lines)) || !slices.IsSorted(dirt.Lines) || dirt.Reason == "" {
				t.Errorf("%s: dirt %+v", file.Name, dirt)
			}
			for _, line := range dirt.Lines {
				added[int(line)] = true
				quarters[4*(int(line)-1)/len(fresh)]++
			}
			line := fmt.Sprint(file.Name, " ", dirt.Kind, " ", dirt.Rows, " rejected")
			if !strings.Contains(strings.Join(strings.Fields(stdout), " "), line) {
				t.Errorf("no %q in the output:\n%s", line, stdout)
			}
		}
		leaf := file.Name != "product.csv" && file.Name != "styles.csv"
		if leaf && (kinds < 12 || len(quarters) != 4) || !leaf && kinds > 0 {
			t.Errorf("%s is spoiled in %d ways, rows by quarter of the file: %v", file.Name, kinds, quarters)
		}
		var kept []string
		for n, line := range fresh {
			if !added[n+1] {
				kept = append(kept, line)
			}
		}
		if !slices.Equal(kept, old) {
			t.Errorf("%s differs without the %d added rows", file.Name, len(added))
		}
	}
}

func TestMalformedAtEverySize(t *testing.T) {
	for seed := range 20 {
		directory, _ := generated(t, "--products=1", "--dirt", "--malformed", "--seed", fmt.Sprint(seed))
		for _, file := range readReport(t, directory).Files {
			good := file.Rows
			for _, dirt := range file.Dirt {
				if dirt.Fate == fateRejected {
					good -= dirt.Rows
				}
			}
			for _, dirt := range file.Dirt {
				if dirt.Fate == fateRejected && dirt.Rows < 1 && (dirt.Kind != kindDuplicate || good > 1) {
					t.Errorf("seed %d: %s with %d good rows has none of %s", seed, file.Name, good, dirt.Kind)
				}
			}
		}
	}
	c := catalog{products: realProducts, malformed: true}
	for file := range leaves {
		m := c.malformedRows(file)
		if len(m.pending) < 10*malformedOfEach || m.most != malformedOfEach/2 || m.width < 100 {
			t.Errorf("at full size %d rows and %d orphans, one row in %d", len(m.pending), m.most, m.width)
		}
	}
}
