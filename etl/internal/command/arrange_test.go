package command

import (
	"bytes"
	"context"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"systemscale/etl/internal/dump/dumptest"
	"systemscale/sql/testdb"
)

// documentsOf runs etl render, and returns its files by name and its stderr.
func documentsOf(t *testing.T, args ...string) (files map[string]string, stderr string) {
	t.Helper()
	out := t.TempDir()
	code, stdout, stderr := etl(t.Context(), append([]string{"render", "--out", out, "--temp", t.TempDir()}, args...)...)
	if code != exitOK {
		t.Fatalf("render %v: exit code %d: %s%s", args, code, stdout, stderr)
	}
	files = map[string]string{}
	entries, err := os.ReadDir(out)
	if err != nil {
		t.Fatal(err)
	}
	for _, entry := range entries {
		text, err := os.ReadFile(filepath.Join(out, entry.Name()))
		if err != nil {
			t.Fatal(err)
		}
		files[entry.Name()] = string(text)
	}
	return files, stderr
}

// shuffled returns a CSV file with its rows in another order. Rows that are equal in a column stay together, in blocks in random order; or,
// interleaved, the blocks are merged at random. Either way the rows of a block keep their order.
func shuffled(random *rand.Rand, text string, column int, interleaved bool) string {
	lines := strings.SplitAfter(strings.TrimSuffix(text, "\n")+"\n", "\n")
	header, lines := lines[0], lines[1:len(lines)-1]
	blocks := map[string][]string{}
	var keys []string
	for _, line := range lines {
		key := strings.Split(line, ",")[column]
		if len(blocks[key]) == 0 {
			keys = append(keys, key)
		}
		blocks[key] = append(blocks[key], line)
	}
	random.Shuffle(len(keys), func(i, k int) { keys[i], keys[k] = keys[k], keys[i] })
	var b strings.Builder
	b.WriteString(header)
	if !interleaved {
		for _, key := range keys {
			b.WriteString(strings.Join(blocks[key], ""))
		}
		return b.String()
	}
	for left := len(lines); left > 0; {
		key := keys[random.IntN(len(keys))]
		if n := len(blocks[key]); n > 0 {
			b.WriteString(blocks[key][0])
			blocks[key] = blocks[key][1:]
			left--
		}
	}
	return b.String()
}

// TestAnyOrderGivesTheSameDocuments shuffles real files, one at a time and all together.
func TestAnyOrderGivesTheSameDocuments(t *testing.T) {
	want, stderr := documentsOf(t, "--csv", "../../testdata/v1")
	if strings.Contains(stderr, "sorted") {
		t.Fatalf("files in order were sorted: %s", stderr)
	}
	columns := map[string]int{"product.csv": 0, "features.csv": 1, "styles.csv": 1, "photos.csv": 1, "skus.csv": 1, "related.csv": 1}
	texts := map[string]string{}
	for file := range columns {
		text, err := os.ReadFile(filepath.Join("..", "..", "testdata", "v1", file))
		if err != nil {
			t.Fatal(err)
		}
		texts[file] = string(text)
	}
	check := func(name string, random *rand.Rand, interleaved bool, files ...string) {
		t.Run(name, func(t *testing.T) {
			directory := t.TempDir()
			dumptest.Write(t, directory, texts)
			for _, file := range files {
				dumptest.Write(t, directory, map[string]string{file: shuffled(random, texts[file], columns[file], interleaved)})
			}
			got, stderr := documentsOf(t, "--csv", directory)
			for _, file := range files {
				if !strings.Contains(stderr, "sorted") || !strings.Contains(stderr, "file="+file) {
					t.Errorf("no warning about %s: %s", file, stderr)
				}
			}
			for file := range want {
				if got[file] != want[file] {
					t.Errorf("%s differs", file)
				}
			}
		})
	}
	var all []string
	for file := range columns {
		all = append(all, file)
		check(file, rand.New(rand.NewPCG(1, 1)), false, file)
		check(file+" interleaved", rand.New(rand.NewPCG(1, 2)), true, file)
	}
	check("all", rand.New(rand.NewPCG(1, 3)), false, all...)
	check("all interleaved", rand.New(rand.NewPCG(1, 4)), true, all...)
}

const library = `
collection: shelves
sources:
  shelf:   {file: shelf.csv, key: id, columns: {id: int, name: text}}
  book:    {file: book.csv, key: id, parent: shelf, on: shelf, columns: {id: int, shelf: int, title: text}}
  chapter: {file: chapter.csv, key: id, parent: book, on: book, columns: {id: int, book: int, title: text}}
  page:    {file: page.csv, key: id, parent: chapter, on: chapter, columns: {id: int, chapter: int, text: text}}
documents:
  all: {path: "", body: {name: name, books: {each: book, as: {title: title, chapters: {each: chapter, as: {title: title, pages: {each: page, keyed: id, as: text}}}}}}}
`

// TestAnyOrderAtAnyDepth has keys at every level that are unrelated to the order of items, so that only the parent of a row gives its item.
func TestAnyOrderAtAnyDepth(t *testing.T) {
	random := rand.New(rand.NewPCG(2, 1))
	// Parents are chosen at random, so ids are unrelated to items. In the first round, rows are in the order of items.
	level := func(parents []int, n int) (ids []int, of map[int][]int) {
		of = map[int][]int{}
		for id := 1; id <= n; id++ {
			parent := parents[random.IntN(len(parents))]
			of[parent] = append(of[parent], id)
			ids = append(ids, id)
		}
		return ids, of
	}
	shelves := []int{1, 2, 3, 5, 8, 13, 21}
	books, booksOf := level(shelves, 40)
	chapters, chaptersOf := level(books, 120)
	_, pagesOf := level(chapters, 300)
	shelf, book, chapter, page := "id,name\n", "id,shelf,title\n", "id,book,title\n", "id,chapter,text\n"
	var want strings.Builder
	for _, s := range shelves {
		shelf += fmt.Sprintf("%d,\"s%d\"\n", s, s)
		fmt.Fprintf(&want, "%d:", s)
		for _, b := range booksOf[s] {
			book += fmt.Sprintf("%d,%d,\"b%d\"\n", b, s, b)
			for _, c := range chaptersOf[b] {
				chapter += fmt.Sprintf("%d,%d,\"c%d\"\n", c, b, c)
				for _, p := range pagesOf[c] {
					page += fmt.Sprintf("%d,%d,\"p%d\"\n", p, c, p)
					fmt.Fprintf(&want, " s%d/b%d/c%d/p%d", s, b, c, p)
				}
			}
		}
		want.WriteString("\n")
	}
	page += "999,998,\"orphan\"\nbad,1,\"no id\"\n"
	files := map[string]string{"shelves.yaml": library, "shelf.csv": shelf, "book.csv": book, "chapter.csv": chapter, "page.csv": page}
	var first map[string]string
	for round := range 6 {
		directory := t.TempDir()
		dumptest.Write(t, directory, files)
		if round > 0 {
			for _, file := range []string{"shelf.csv", "book.csv", "chapter.csv", "page.csv"} {
				if round == 1 || random.IntN(2) == 0 {
					column := 1
					if file == "shelf.csv" {
						column = 0
					}
					dumptest.Write(t, directory, map[string]string{file: shuffled(random, files[file], column, round%2 == 0)})
				}
			}
		}
		got, stderr := documentsOf(t, "--csv", directory, "--shape", filepath.Join(directory, "shelves.yaml"))
		if first == nil {
			first = got
			for _, text := range strings.Fields(want.String()) {
				parts := strings.Split(text, "/")
				if len(parts) == 4 && !strings.Contains(got["all.copy"], `"`+parts[3]+`"`) {
					t.Errorf("%s is missing", text)
				}
			}
			for _, lost := range []string{"orphan", "no id"} {
				if strings.Contains(got["all.copy"], lost) {
					t.Error("a row without a parent is in a document")
				}
			}
		}
		if got["all.copy"] != first["all.copy"] || !strings.Contains(stderr, "sorted") {
			t.Errorf("round %d: the documents differ, or nothing was sorted: %s", round, stderr)
		}
	}
}

// TestRunSortsAndKeepsRejectsOnce publishes shuffled files with rejects twice, the second time as a delta. Rejects are kept once, and no
// temporary file remains.
func TestRunSortsAndKeepsRejectsOnce(t *testing.T) {
	database := testdb.New(t)
	conn := testdb.Connect(t, database.API)
	directory, temporary := t.TempDir(), t.TempDir()
	dumptest.Write(t, directory, map[string]string{
		"books.yaml": dumptest.Books,
		"book.csv":   "isbn,title\n8,Eight\nx,Bad\n7,Seven\n",
		"review.csv": "id,isbn,stars\n3,8,1\n1,7,5\n4,9,9\n2,7,3\n1,8,2\n",
	})
	args := []string{
		"run", "--database", database.ETL, "--csv", directory, "--shape", filepath.Join(directory, "books.yaml"),
		"--rejects", filepath.Join(directory, "rejects"), "--temp", temporary, "--accept", "rejects",
	}
	for round, title := range []string{"Seven", "Sieben"} {
		dumptest.Write(t, directory, map[string]string{"book.csv": "isbn,title\n8,Eight\nx,Bad\n7," + title + "\n"})
		code, stdout, stderr := etl(t.Context(), append(args, "--accept", "changed")...)
		if code != exitOK || !strings.Contains(stderr, "file=book.csv rows=3") || !strings.Contains(stderr, "file=review.csv rows=5") {
			t.Fatalf("exit code %d, stderr %s", code, stderr)
		}
		for _, line := range []string{
			"book.csv       3     2         0         1         0\n", "review.csv     5     3         0         2         0\n",
		} {
			if !strings.Contains(stdout, line) {
				t.Errorf("round %d: the report does not contain %q:\n%s", round, line, stdout)
			}
		}
		if got, want := written(t, conn, "books", "reviews", 7), fmt.Sprintf(`{"book": %q, "stars": [5, 3]}`, title); got != want {
			t.Errorf("round %d: the document is %s, want %s", round, got, want)
		}
		log, err := os.ReadFile(filepath.Join(directory, "rejects", fmt.Sprintf("books-%d", round+1), "rejects.ndjson"))
		if err != nil || bytes.Count(log, []byte("\n")) != 3 || !bytes.Contains(log,
			[]byte(`{"file":"review.csv","source":"review","line":4,"offset":26,"column":"isbn","reason":"orphan","row":"4,9,9"}`)) {
			t.Errorf("round %d: the rejects are %s (%v)", round, log, err)
		}
	}
	if left, err := os.ReadDir(temporary); err != nil || len(left) > 0 {
		t.Errorf("temporary files remain: %v (%v)", left, err)
	}
}

// TestFarDuplicates has ids that are on two lines, too far apart to be found at once. The first line of each is used.
func TestFarDuplicates(t *testing.T) {
	texts := strings.NewReplacer("isbn: int", "isbn: text", "id: int", "id: text").Replace(dumptest.Books)
	for _, c := range []struct {
		name     string
		shape    string
		id       func(i int64) string
		readings string
	}{
		{
			"ints too far apart for a bitmap", dumptest.Books,
			func(i int64) string { return strconv.FormatInt(i<<40, 10) }, "rows have the id of rows far before them",
		},
		{
			"texts that ascend", texts,
			func(i int64) string { return fmt.Sprintf("r%09d", i) }, "comes so late",
		},
		{
			"texts in any order", texts,
			func(i int64) string { return fmt.Sprintf("%08x", uint32(i)*0x9e3779b1) }, "rows have the id of rows far before them",
		},
	} {
		t.Run(c.name, func(t *testing.T) {
			const rows = 60_000
			directory, temporary := t.TempDir(), t.TempDir()
			var review strings.Builder
			review.WriteString("id,isbn,stars\n")
			for i := range int64(rows) {
				fmt.Fprintf(&review, "%s,7,1\n", c.id(i))
			}
			fmt.Fprintf(&review, "%s,7,2\n%s,8,3\n", c.id(5), c.id(6))
			dumptest.Write(t, directory, map[string]string{
				"books.yaml": c.shape, "book.csv": "isbn,title\n7,Seven\n8,Eight\n", "review.csv": review.String(),
			})
			files, stderr := documentsOf(t, "--csv", directory, "--shape", filepath.Join(directory, "books.yaml"), "--temp", temporary)
			reviews := files["reviews.copy"]
			if n := strings.Count(reviews, "1,") + 1; n != rows || strings.Contains(reviews, "2]") || strings.Contains(reviews, "[3]") {
				t.Errorf("%d reviews, or duplicates among them; stderr %s", n, stderr)
			}
			if !strings.Contains(stderr, c.readings) {
				t.Errorf("stderr does not contain %q: %s", c.readings, stderr)
			}
			if left, err := os.ReadDir(temporary); err != nil || len(left) > 0 {
				t.Errorf("temporary files remain: %v (%v)", left, err)
			}
		})
	}
}

// TestMissingTemporaryDirectory wants an error that names the flag.
func TestMissingTemporaryDirectory(t *testing.T) {
	directory := t.TempDir()
	review := strings.Repeat("2,8,2\n", 1<<20)
	dumptest.Write(t, directory, map[string]string{
		"books.yaml": dumptest.Books, "book.csv": "isbn,title\n7,Seven\n8,Eight\n", "review.csv": "id,isbn,stars\n" + review + "1,7,1\n",
	})
	code, _, stderr := etl(context.Background(), "render", "--csv", directory, "--shape", filepath.Join(directory, "books.yaml"),
		"--temp", filepath.Join(directory, "none"))
	if code == exitOK || !strings.Contains(stderr, "--temp") {
		t.Errorf("exit code %d, stderr %q, want --temp named", code, stderr)
	}
}
