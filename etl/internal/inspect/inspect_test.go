package inspect

import (
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"systemscale/etl/internal/dump"
	"systemscale/etl/internal/dump/dumptest"
	"systemscale/etl/internal/shape"
	"systemscale/etl/internal/source"
	"systemscale/sql"
)

// guess returns the shape file for a directory.
func guess(t *testing.T, directory string) (string, error) {
	t.Helper()
	text, err := Directory(t.Context(), Options{Directory: directory, Name: "guess.yaml"})
	return string(text), err
}

// rejects renders a directory with a shape file and returns the numbers of rejected rows by source and reason.
func rejects(t *testing.T, directory, text string) map[string]int64 {
	t.Helper()
	path := filepath.Join(t.TempDir(), "guess.yaml")
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	d, err := dump.Open(t.Context(), dump.Options{Directory: directory, Shape: path, Temp: t.TempDir(), Logger: slog.New(slog.DiscardHandler)})
	if err != nil {
		t.Fatalf("%v\n%s", err, text)
	}
	defer d.Close()
	var last *dump.Dump
	err = d.Arranged(t.Context(), func(d *dump.Dump) error {
		last = d
		return d.Pass(t.Context(), dump.Handlers{Document: func(int, sql.ID, uint64, []byte) error { return nil }})
	})
	if err != nil {
		t.Fatalf("%v\n%s", err, text)
	}
	if err := last.RefuseCutFiles(); err != nil {
		t.Errorf("%v\n%s", err, text)
	}
	found := map[string]int64{}
	for i, counts := range last.Counts() {
		for reason, n := range counts.Rejected {
			found[last.Spec().Sources[i].Name+": "+string(reason)] = n
		}
	}
	return found
}

// deserved are the rejected rows of the dumps in testdata that are damaged, or need what a shape file does not have.
var deserved = map[string]map[string]int64{}

// TestDumps guesses a shape file for each directory in testdata, and renders the directory with it. want.yaml is the guess, or the message.
// WRITE=1 writes it.
func TestDumps(t *testing.T) {
	directories, err := filepath.Glob("testdata/*")
	if err != nil || len(directories) == 0 {
		t.Fatalf("no dumps (%v)", err)
	}
	for _, directory := range directories {
		t.Run(filepath.Base(directory), func(t *testing.T) {
			got, err := guess(t, directory)
			path := filepath.Join(directory, "want.yaml")
			if err == nil {
				found := rejects(t, directory, got)
				if diff := cmp.Diff(deserved[filepath.Base(directory)], found, cmpopts.EquateEmpty()); diff != "" {
					t.Errorf("rejected rows: want (-), got (+)\n%s\n%s", diff, got)
				}
			} else {
				got = "# " + strings.ReplaceAll(err.Error(), "\n", "\n# ") + "\n"
			}
			if os.Getenv("WRITE") != "" {
				if err := os.WriteFile(path, []byte(got), 0o600); err != nil {
					t.Fatal(err)
				}
			}
			want, err := os.ReadFile(path)
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(string(want), got); diff != "" {
				t.Errorf("want (-), got (+)\n%s", diff)
			}
		})
	}
}

// TestCatalog finds the joins and the types of the built-in catalog.
func TestCatalog(t *testing.T) {
	for _, directory := range []string{"../../testdata/v1", "../../testdata/v2"} {
		text, err := guess(t, directory)
		if err != nil {
			t.Fatal(err)
		}
		got, err := shape.Parse("guess.yaml", []byte(text))
		if err != nil {
			t.Fatalf("%v\n%s", err, text)
		}
		want, err := dump.ReadShape("")
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(joins(want), joins(got)); diff != "" {
			t.Errorf("%s: want (-), got (+)\n%s", directory, diff)
		}
	}
	text, err := guess(t, "../../testdata/v1")
	if err != nil {
		t.Fatal(err)
	}
	if found := rejects(t, "../../testdata/v1", text); len(found) > 0 {
		t.Errorf("rejected rows: %v", found)
	}
}

// joins describes the sources of a shape: file, key, parent, types.
func joins(s *shape.Shape) map[string]string {
	found := map[string]string{}
	for _, source := range s.Sources {
		name := func(i int) string { return source.Columns[i].Name }
		text := source.File
		for _, i := range source.Key {
			text += " " + name(i)
		}
		if source.Parent >= 0 {
			text += " of " + s.Sources[source.Parent].Name + " on"
		}
		for _, i := range source.ParentKey {
			text += " " + name(i)
		}
		for _, c := range source.Columns {
			text += " " + c.Name + " " + fmt.Sprint(c.Type)
			if c.Nullable {
				text += "?"
			}
		}
		found[source.Name] = text
	}
	return found
}

// TestGuesses has small dumps, and lines of the shape files for them.
func TestGuesses(t *testing.T) {
	numbers := strings.Repeat("5\n", 30)
	for _, c := range []struct {
		name  string
		files map[string]string
		want  []string // lines, or their beginnings
		not   []string
	}{
		{
			name:  "types from all rows, not from a sample",
			files: map[string]string{"item.csv": "id,n\n" + rows(5000, func(int) string { return "7" }) + "5001,x\n5002,y\n5003,z\n"},
			want:  []string{"n: int   # 7 to 7; 3 rows with another value will be rejected, such as \"x\" in line 5002"},
		},
		{
			name:  "an id that is no int once",
			files: map[string]string{"item.csv": "id,n\n" + rows(300, func(int) string { return "7" }) + "12.5,7\n"},
			want:  []string{"id: int   # 1 to 300; 1 row with another value will be rejected"},
		},
		{
			name: "a type that a twentieth of the rows contradicts",
			files: map[string]string{
				"item.csv": "id,n\n" + rows(100, func(i int) string { return map[bool]string{true: "x" + string(rune('a'+i%26)), false: "7"}[i%20 == 0] }),
			},
			want: []string{"n: text   # no number, such as \"x"},
		},
		{
			name:  "zeros before a number",
			files: map[string]string{"item.csv": "id,zip\n1,07030\n2,10001\n"},
			want:  []string{"zip: text   # an int would lose the zeros before 1 value"},
		},
		{
			name: "a word of its own that means null",
			files: map[string]string{
				"item.csv": "id,n\n" + rows(40, func(i int) string { return map[bool]string{true: "unknown", false: "7"}[i%10 == 0] }),
			},
			want: []string{"n: {type: int?, null: \"unknown\"}   # 7 to 7; 4 null"},
		},
		{
			name:  "an empty text stays a text",
			files: map[string]string{"item.csv": "id,note\n1,\n2,x\n"},
			want:  []string{"note: text "}, not: []string{"null:"},
		},
		{
			name:  "amounts",
			files: map[string]string{"item.csv": "id,price,stock\n1,5,5\n2,6,6\n"},
			want:  []string{"price: money", "stock: int"},
		},
		{
			name:  "decimals",
			files: map[string]string{"item.csv": "id,lat,rating,price\n1,48.137,4,.5\n2,11.5,4.5,1.25E-3\n"},
			want:  []string{"lat: decimal   # 2 values with decimals", "rating: decimal", "price: decimal"},
		},
		{
			name:  "one to one",
			files: map[string]string{"movie.csv": "id,name\n1,a\n2,b\n", "link.csv": "movie_id,imdb\n2,tt7\n"},
			want:  []string{"on: movie_id", "one_to_one: true", "one: link"},
		},
		{
			name:  "windows-1252",
			files: map[string]string{"item.csv": "id,name\n1,Caf\xe9\n2,\x80 7\n3,x\n"},
			want:  []string{"encoding: windows-1252"},
		},
		{
			name:  "a damaged letter in UTF-8",
			files: map[string]string{"item.csv": "id,name\n1,Café\n2,Tä\n3,\xe9\n"},
			want:  []string{"# 1 row will be rejected: not UTF-8"}, not: []string{"encoding:"},
		},
		{
			name:  "UTF-16 without a byte order mark",
			files: map[string]string{"item.csv": "i\x00d\x00,\x00n\x00\n\x001\x00,\x002\x00\n\x00"},
			want:  []string{"encoding: utf-16le", "n: int   # 2 to 2"},
		},
		{
			name: "look-ups",
			files: map[string]string{
				"orders.csv": "id,placed\n1,x\n2,y\n", "order_lines.csv": "id,order_id,product_id\n1,1,8\n2,2,9\n3,2,8\n",
				"products.csv": "id,name,category_id\n8,Tea,1\n9,Jam,1\n", "categories.csv": "id,name\n1,Food\n",
			},
			want: []string{"collection: orders", "lookup: products", "by: product_id", "product_id: int   # 8 to 9; 3 of 3 values are in products.csv's id", "lookup: categories"},
			not:  []string{"is not used"},
		},
		{
			name:  "delimiters of two bytes, and of one file",
			files: map[string]string{"item.csv": "id+|name\n1+|a|b\n2+|c\n", "part.csv": "id;item_id\n1;1\n"},
			want:  []string{`delimiter: "+|"`, `dialect: {delimiter: ";"}`},
		},
		{
			name: "numbers in another notation",
			files: map[string]string{
				"item.csv": "id;price;weight;stock;phone;pay\n1;4,50 €;1.299,5;1.000;030 123;$1,200.50\n2;1.200,00 €;7;20;1 234 567;$3\n",
			},
			want: []string{
				`price: {type: money, numbers: {decimal: ",", thousands: ".", currency: "€"}}`,
				`weight: {type: decimal, numbers: {decimal: ",", thousands: "."}}`, "phone: text", `pay: {type: money, numbers: {thousands: ",", currency: "$"}}`,
			},
		},
		{
			name:  "rows below others of the file",
			files: map[string]string{"category.csv": "id,name,parent_id\n1,a,0\n2,b,1\n3,c,1\n4,d,2\n"},
			want: []string{
				"category_below:", "on: parent_id   # 3 of 4 values are in category.csv's id; 1 are 0",
				`filters: {no parent: {column: parent_id, drop: "0"}}`, "each: category_below",
			},
		},
		{
			name: "text keys",
			files: map[string]string{
				"countries.csv": "code,name\nfr,France\nde,Germany\n", "cities.csv": "slug,name,country_code\nparis,Paris,fr\nbonn,Bonn,de\nlyon,Lyon,fr\n",
				"sights.csv": "city,title\nparis,Tower\nparis,Tower\nbonn,Museum\n",
			},
			want: []string{
				"collection: cities", "key: slug", "on: city   # 3 of 3 values are in cities.csv's slug", "lookup: countries", "by: country_code",
				"# no key: no column has a different value in each row, nor have two of them together",
			},
		},
		{
			name:  "a key of two columns",
			files: map[string]string{"teams.csv": "year,team,name\n1901,ABC,x\n1902,ABC,x\n1901,DEF,y\n"},
			want:  []string{"key: [year, team]", "item:   # GET /teams/1901/ABC"},
		},
		{
			name: "dates, times and JSON",
			files: map[string]string{
				"item.csv": "id|day|at|us|both|when|extra|text\n1|2024-01-31|2024-01-31T10:11:12Z|01/31/2024|01/02/2024|2024-01-31 10:11:12|{\"a\": 1}|[x]\n" +
					"2|2023-02-01|2024-01-31T10:11:12+02:00|12/01/2024|03/04/2024|2024-01-31 10:11:13|[]|[y]\n",
			},
			want: []string{
				"day: date   # all values have this form", "at: time", `us: {type: date, format: "%m/%d/%Y"}`,
				`both: {type: date, format: "%d/%m/%Y"}   # all values have this form, and also %m/%d/%Y`,
				`when: {type: time, format: "%Y-%m-%d %H:%M:%S"}`, "extra: json", "text: text",
			},
		},
		{
			name:  "a JSON null in quotes",
			files: map[string]string{"item.csv": "id|extra\n1|[1]\n2|\"null\"\n3|{}\n"},
			want:  []string{"extra: json?   # all values have this form; 1 null"},
		},
		{
			name:  "records of several lines",
			files: map[string]string{"item.csv": "id,text\n1,\"a\nb\"\n2,c\n"},
			want:  []string{"records: quoted", "id: int   # 1 to 2"},
		},
		{
			name: "files without headers",
			files: map[string]string{
				"ports.dat":  strings.Join(far(400, ",Port,\"France\"\n"), ""),
				"lines.dat":  strings.Join(scattered(300), ""),
				"routes.dat": strings.Join(routes(900), ""),
			},
			want: []string{
				"header: false", "collection: ports", "parent: ports", "on: column_2   # 900 of 900 values are in ports.dat's column_1, though no name says so",
				"lookup: lines", "lines:", "column_1: int   # 7 to ",
			},
			not: []string{"is not used"},
		},
		{
			name: "keys that are a part of another file's",
			files: map[string]string{
				"employees.csv": "id,name,at\n1,a,x\n2,b,y\n", "territories.csv": "territory_id,place\n1,x\n2,y\n3,z\n",
				"employee_territories.csv": "employee_id,territory_id\n1,1\n1,3\n",
			},
			want: []string{"parent: employees", "lookup: territories"}, not: []string{"parent: employee_territories"},
		},
		{
			name: "rows that mostly have no parent",
			files: map[string]string{
				"chain.csv":   "id,item_id\n" + rows(60, func(i int) string { return map[bool]string{true: "1", false: ""}[i%3 == 0] }),
				"item.csv":    "id,name\n1,a\n2,b\n",
				"species.csv": "id,chain_id\n" + numbersOf(60),
			},
			want: []string{"collection: chains", "parent: chain", "lookup: item"},
		},
		{
			name:  "flags",
			files: map[string]string{"item.csv": "id,is_new,level,word\n1,1,1,true\n2,0,0,false\n"},
			want:  []string{"is_new: flag", "level: int", "word: flag"},
		},
		{
			name:  "another delimiter",
			files: map[string]string{"item.csv": "id;name\n1;a,b\n2;c\n"},
			want:  []string{`delimiter: ";"`},
		},
		{
			name:  "spaces",
			files: map[string]string{"item.csv": "id,name,n\n1,a,7\n2, \"b\", 8\n"},
			want:  []string{"trim_spaces: true", "n: int   # 7 to 8"},
		},
		{
			name:  "a small number is no reference",
			files: map[string]string{"product.csv": "id,name\n1,a\n2,b\n3,c\n", "sku.csv": "id,product_id,quantity\n1,1,3\n2,2,1\n3,3,2\n"},
			want:  []string{"parent: product", "on: product_id   # 3 of 3 values are in product.csv's id"}, not: []string{"on: quantity"},
		},
		{
			name: "ids that are far apart are a reference without a name",
			files: map[string]string{
				"product.csv": "id,name\n" + strings.Join(far(50, ",x\n"), ""), "sku.csv": "id,belongs\n" + strings.Join(numbered(far(50, "\n")), ""),
			},
			want: []string{"on: belongs   # 50 of 50 values are in product.csv's id, though no name says so"},
		},
		{
			name: "orphans",
			files: map[string]string{
				"product.csv": "id,name\n" + rows(40, func(int) string { return "x" }),
				"sku.csv":     "id,product_id\n" + numbersOf(40) + "41,77\n",
			},
			want: []string{"on: product_id   # 40 of 41 values are in product.csv's id; not \"77\" in line 42"},
		},
		{
			name: "a file that does not fit",
			files: map[string]string{
				"product.csv": "id,name,x\n1,a,b\n",
				"weather.csv": "id,rain\n1,7\n",
				"empty.csv":   "",
				"head.csv":    "id\n",
			},
			want: []string{
				"# weather.csv (1 row) is not used: no column has the keys of a file above", "# empty.csv is not used: the file is empty",
				"# head.csv is not used: it has a header and no row",
			},
		},
		{
			name:  "names that YAML, SQL and bodies reserve",
			files: map[string]string{"docs.csv": "id,count,no,a b,ä,\"x\"\"y\"\n1,2,3,4,5,6\n"},
			want:  []string{"collection: docs_list", "object:", `"no": "no"`, `"a b": "a b"`, `"ä": "ä"`, `"x\"y": "x\"y"`},
		},
		{
			name:  "a number that clients would round",
			files: map[string]string{"item.csv": "id,big\n1,9007199254740993\n"},
			want:  []string{"big: {text: big}"},
		},
		{name: "one column", files: map[string]string{"item.csv": "id\n" + numbers + "6\n"}, want: nil},
	} {
		t.Run(c.name, func(t *testing.T) {
			directory := t.TempDir()
			dumptest.Write(t, directory, c.files)
			text, err := guess(t, directory)
			if err != nil {
				if c.want != nil {
					t.Fatal(err)
				}
				return
			}
			rejects(t, directory, text)
			compareLines(t, text, c.want, c.not)
		})
	}
}

// compareLines fails if no line of a text begins with one of those that are wanted, or a part of it is not.
func compareLines(t *testing.T, text string, wanted, unwanted []string) {
	t.Helper()
	for _, want := range wanted {
		if !slices.ContainsFunc(strings.Split(text, "\n"), func(line string) bool { return strings.HasPrefix(strings.TrimSpace(line), want) }) {
			t.Errorf("no line begins with %s:\n%s", want, text)
		}
	}
	for _, not := range unwanted {
		if strings.Contains(text, not) {
			t.Errorf("%s is in the text:\n%s", not, text)
		}
	}
}

// TestErrors has directories for which there is no shape file.
func TestErrors(t *testing.T) {
	many := map[string]string{}
	for i := range mostFiles + 1 {
		many["f"+string(rune('0'+i%10))+string(rune('a'+i/10%26))+string(rune('a'+i/260))+".csv"] = ""
	}
	for _, c := range []struct {
		name  string
		files map[string]string
		root  string
		want  string
	}{
		{name: "no CSV file", files: map[string]string{"notes.md": "x"}, want: "there is no CSV file: the names of such files end in .csv, "},
		{name: "too many", files: many, want: "there are 201 files, and etl init compares at most 200"},
		{name: "two forms", files: map[string]string{"a.csv": "id\n1\n", "a.csv.gz": "x"}, want: "both exist: keep only one of them"},
		{name: "a damaged archive", files: map[string]string{"a.csv.gz": "x"}, want: "a.csv.gz: the archive ends early"},
		{name: "only empty files", files: map[string]string{"a.csv": "", "b.csv": "id\n"}, want: "a.csv: the file is empty\nb.csv: it has a header and no row"},
		{
			name: "a header that cannot be read", files: map[string]string{"a.csv": "id\x00,name\n1,x\n2,y\n", "b.csv": "id\n"},
			want: "a.csv: its first record cannot be read: NUL byte\nb.csv: it has a header and no row",
		},
		{name: "an unknown root", files: map[string]string{"a.csv": "id\n1\n"}, root: "b.csv", want: "there is no file b.csv"},
		{
			name: "a root without key", files: map[string]string{"a.csv": "x,y\n1,1\n1,1\n", "b.csv": "id\n1\n"}, root: "a.csv",
			want: "a.csv: its rows cannot be the items: no column has a different value in each row, nor have two of them together",
		},
	} {
		t.Run(c.name, func(t *testing.T) {
			directory := t.TempDir()
			dumptest.Write(t, directory, c.files)
			_, err := Directory(t.Context(), Options{Directory: directory, Name: "guess.yaml", Root: c.root})
			if err == nil || !strings.Contains(err.Error(), c.want) {
				t.Errorf("error %v, want %q in it", err, c.want)
			}
			if mistake := new(source.FileError); !errors.As(err, &mistake) {
				t.Errorf("the error is a %T", err)
			}
		})
	}
	if os.Geteuid() != 0 {
		directory := t.TempDir()
		dumptest.Write(t, directory, map[string]string{"a.csv": "id\n1\n"})
		if err := os.Chmod(filepath.Join(directory, "a.csv"), 0); err != nil {
			t.Fatal(err)
		}
		if _, err := Directory(t.Context(), Options{Directory: directory}); !errors.Is(err, fs.ErrPermission) {
			t.Errorf("error %v for a file that cannot be read", err)
		}
	}
}

// TestAccentsInTheHeaderAlone guesses the encoding of a file of many rows without other letters than those of ASCII.
func TestAccentsInTheHeaderAlone(t *testing.T) {
	directory := t.TempDir()
	dumptest.Write(t, directory, map[string]string{"a.csv": "id,pr\xe9nom\n" + "1,x\n2,y\n3,z\n"})
	got, err := guess(t, directory)
	if err != nil {
		t.Fatal(err)
	}
	if !strings.Contains(got, "encoding: latin1") || !strings.Contains(got, `"prénom": text`) {
		t.Errorf("the guess is\n%s", got)
	}
}

// TestRootIsChosen names the root.
func TestRootIsChosen(t *testing.T) {
	directory := t.TempDir()
	dumptest.Write(t, directory, map[string]string{"a.csv": "id,name\n1,x\n", "b.csv": "id,a_id\n1,1\n2,1\n"})
	for root, want := range map[string][]string{"": {"a", "b"}, "b.csv": {"a", "b"}, "a": {"a", "b"}} {
		text, err := Directory(t.Context(), Options{Directory: directory, Name: "guess.yaml", Root: root})
		if err != nil {
			t.Fatal(err)
		}
		spec, err := shape.Parse("guess.yaml", text)
		if err != nil {
			t.Fatal(err)
		}
		if got := slices.Sorted(maps.Keys(joins(spec))); !slices.Equal(got, want) {
			t.Errorf("root %q: sources %v, want %v", root, got, want)
		}
	}
}

// TestSetForgets fills sets beyond their memory.
func TestSetForgets(t *testing.T) {
	m := &memory{slots: 1 << 12}
	s := newSet(m)
	hash := func(i uint64) uint64 { return (i + 1) * 0x9e3779b97f4a7c15 }
	for i := range uint64(100_000) {
		if s.add(hash(i)) {
			t.Fatalf("value %d is found before it is added", i)
		}
	}
	if s.thin == 0 || len(s.slots) > 1<<12 || m.slots < 0 {
		t.Errorf("%d slots, of each 2^%d hashes, and memory for %d", len(s.slots), s.thin, m.slots)
	}
	found := 0
	for i := range uint64(100_000) {
		if s.sampled(hash(i)) {
			found++
			if !s.has(hash(i)) || !s.add(hash(i)) {
				t.Fatalf("value %d is not found", i)
			}
		}
	}
	if found != s.size {
		t.Errorf("%d values of the sample are found, and the set has %d", found, s.size)
	}
	if s.add(0) || !s.add(0) || !s.has(0) {
		t.Error("the hash 0 is lost")
	}
	s.free()
	if m.slots != 1<<12 {
		t.Errorf("memory for %d slots after all are free", m.slots)
	}
}

// TestNames compares names.
func TestNames(t *testing.T) {
	for _, c := range []struct {
		column, file, key string
		want              likeness
	}{
		{"product_id", "product", "id", same},
		{"productId", "products", "id", same},
		{"ProductID", "Products", "id", same},
		{"movie_id", "movies", "id", same},
		{"category", "categories", "id", same},
		{"isbn", "books", "isbn", same},
		{"goodreads_id", "books", "goodreads_id", same},
		{"cat_id", "categories", "id", alike},
		{"current_product_id", "product", "id", alike},
		{"product_id", "dim_product", "id", alike},
		{"id", "product", "id", unlike},
		{"name", "product", "name", unlike},
		{"quantity", "product", "id", unlike},
		{"at", "attributes", "id", unlike},
	} {
		if got := alikeNames(c.column, c.file, c.key); got != c.want {
			t.Errorf("alikeNames(%s, %s, %s) = %d, want %d", c.column, c.file, c.key, got, c.want)
		}
	}
}

// rows returns n rows of an id and a value.
func rows(n int, value func(i int) string) string {
	var b strings.Builder
	for i := range n {
		b.WriteString(strconv.Itoa(i+1) + "," + value(i) + "\n")
	}
	return b.String()
}

// numbersOf returns rows with their number twice.
func numbersOf(n int) string { return rows(n, func(i int) string { return strconv.Itoa(i + 1) }) }

// far returns numbers that are far apart, each with an ending.
func far(n int, ending string) []string {
	var found []string
	for i := range n {
		found = append(found, strconv.Itoa(1000*(i+1)+i%7)+ending)
	}
	return found
}

// scattered returns rows of a number, with gaps, and a text.
func scattered(n int) []string {
	var found []string
	for i := range n {
		found = append(found, fmt.Sprintf("%d,Line,Y\n", 7*i+7+i%3))
	}
	return found
}

// routes returns rows of a number of scattered, and one of far.
func routes(n int) []string {
	var found []string
	for i := range n {
		line, port := i*7%300, i*11%400
		found = append(found, fmt.Sprintf("%d,%d,x\n", 7*line+7+line%3, 1000*(port+1)+port%7))
	}
	return found
}

// numbered puts a number before each line.
func numbered(lines []string) []string {
	for i := range lines {
		lines[i] = strconv.Itoa(i+1) + "," + lines[i]
	}
	return lines
}
