package dump

import (
	"context"
	"errors"
	"fmt"
	"io"
	"math"
	"os"
	"strings"
	"testing"
	"testing/iotest"

	"systemscale/etl/internal/csvscan"
	"systemscale/etl/internal/shape"
	"systemscale/etl/internal/source"
)

const shelves = `
collection: shelves
sources:
  shelf: {file: shelf.csv, key: id, columns: {id: int}}
  book:  {file: book.csv, key: id, parent: shelf, on: shelf, columns: {id: int, shelf: int}}
  page:  {file: page.csv, key: id, parent: book, on: book, columns: {id: int, book: int}}
  word:  {file: word.csv, key: id, parent: page, on: page, columns: {id: int, page: int}}
documents:
  all: {path: "", body: {id: id, books: {each: book, as: {pages: {each: page, as: {words: {each: word, as: id}}}}}}}
`

// orderingOf returns files, given without their headers.
func orderingOf(t *testing.T, files ...string) *ordering {
	t.Helper()
	parsed, err := shape.Parse("test.yaml", []byte(shelves))
	if err != nil {
		t.Fatal(err)
	}
	d := &ordering{spec: parsed, temp: t.TempDir()}
	t.Cleanup(func() {
		if left, err := os.ReadDir(d.temp); err != nil || len(left) > 0 {
			t.Errorf("temporary files are left: %v (%v)", left, err)
		}
	})
	for i, header := range []string{"id\n", "id,shelf\n", "id,book\n", "id,page\n"} {
		d.open = append(d.open, func() (io.ReadCloser, error) {
			if i >= len(files) {
				return io.NopCloser(strings.NewReader(header)), nil
			}
			return io.NopCloser(iotest.HalfReader(strings.NewReader(header + files[i]))), nil
		})
	}
	return d
}

func TestExamine(t *testing.T) {
	cases := []struct {
		name  string
		files []string
		want  string
	}{
		{"nothing", nil, "[0 0 0 0]"},
		{"in order", []string{"1\n2\n", "1,1\n3,1\n2,1\n4,2\n", "1,1\n2,2\n3,3\n", "1,1\n2,3\n"}, "[0 0 0 0]"},
		{"the root", []string{"2\n1\n", "1,1\n", "1,1\n"}, "[1 0 0 0]"},
		{"a child", []string{"1\n2\n", "2,2\n1,1\n"}, "[0 1 2 2]"},
		{"a grandchild", []string{"1\n", "1,1\n2,1\n", "1,2\n2,1\n"}, "[0 0 1 2]"},
		{"a leaf", []string{"1\n", "1,1\n", "1,1\n2,1\n", "1,2\n2,1\n"}, "[0 0 0 1]"},
		{"keys that go back from item to item", []string{"1\n2\n", "9,1\n5,2\n"}, "[0 0 2 2]"},
		{"a key in two items", []string{"1\n2\n", "9,1\n9,2\n"}, "[0 0 2 2]"},
		{"a key that cannot be read", []string{"1\nx\n2\n", "1,1\n2,x\n3,1\n"}, "[0 0 0 0]"},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			orders, err := orderingOf(t, c.files...).examine(t.Context())
			if got := fmt.Sprint(orders); err != nil || got != c.want {
				t.Errorf("Examine() = %s, %v, want %s", got, err, c.want)
			}
		})
	}
}

// lines returns the sorted records, each with its line number, and with its item if the file is sorted by item.
func lines(t *testing.T, sorted *sortedFile) string {
	t.Helper()
	text, err := io.ReadAll(iotest.OneByteReader(sorted))
	if err != nil {
		t.Fatal(err)
	}
	var all []string
	for line := range strings.Lines(string(text)) {
		origin := sorted.Next()
		record := fmt.Sprintf("%d:%s", origin.Line, strings.TrimSuffix(line, "\n"))
		if sorted.ByItem() && origin.Line > 1 {
			record += fmt.Sprintf("@%d", origin.Item)
			if origin.Item == math.MinInt64 {
				record = fmt.Sprintf("%d:orphan", origin.Line)
			}
		}
		all = append(all, record)
	}
	if err := sorted.Close(); err != nil {
		t.Error(err)
	}
	return strings.Join(all, " ")
}

func TestSort(t *testing.T) {
	cases := []struct {
		name  string
		files []string
		of    int
		by    order
		want  string
	}{
		{"the root by its key", []string{"3\n1\n2\n1\n"}, 0, byParent, "1:id 3:1 5:1 4:2 2:3"},
		{
			"equal keys keep their order, and bad rows their place",
			[]string{"", "5,2\nbad\n4,1\n6,x\n3,2\n"},
			1, byParent,
			"1:id,shelf 4:4,1 5:6,x 2:5,2 3:bad 6:3,2",
		},
		{"no line end, and a carriage return", []string{"", "5,2\r\n4,1"}, 1, byParent, "1:id,shelf 3:4,1 2:5,2"},
		{
			"negative and far keys",
			[]string{"", "1,9223372036854775807\n2,-5\n3,0\n"},
			1, byParent,
			"1:id,shelf 3:2,-5 4:3,0 2:1,9223372036854775807",
		},
		{
			"by item",
			[]string{"", "10,2\n20,1\n30,2\n", "1,10\n2,20\n3,30\n4,20\n5,99\n6,15\n"},
			2, byItem,
			"1:id,book 6:orphan 7:orphan 3:2,20@1 5:4,20@1 2:1,10@2 4:3,30@2",
		},
		{
			"by item, two levels down",
			[]string{"", "10,2\n20,1\n", "1,10\n2,20\n3,77\n", "1,1\n2,2\n3,1\n4,3\n"},
			3, byItem,
			"1:id,page 5:orphan 3:2,2@1 2:1,1@2 4:3,1@2",
		},
		{"by item, and a parent's key twice", []string{"1\n2\n", "10,2\n10,1\n", "1,10\n"}, 2, byItem, "1:id,book 2:1,10@1"},
		{"by item, and a parent's key twice, once of an orphan", []string{"2\n", "10,2\n10,1\n", "1,10\n"}, 2, byItem, "1:id,book 2:1,10@2"},
		{"by item, and a bad row after the parent", []string{"1\n2\n", "10,2\nbad,1\n", "1,10\n"}, 2, byItem, "1:id,book 2:1,10@2"},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			d := orderingOf(t, c.files...)
			sorted, err := d.sort(t.Context(), c.of, c.by)
			if err != nil {
				t.Fatal(err)
			}
			if sorted.Total().Bytes == 0 {
				t.Error("Total() describes an empty file")
			}
			if got := lines(t, sorted); got != c.want {
				t.Errorf("sorted as %q, want %q", got, c.want)
			}
		})
	}
}

// TestSortKeepsOrigins sorts a file: each record keeps its line, offset, size and end, which rejects report.
func TestSortKeepsOrigins(t *testing.T) {
	long := "7," + strings.Repeat("x", csvscan.MaxLine)
	sorted, err := orderingOf(t, "", "5,2\r\n"+long+"\n4,1").sort(t.Context(), 1, byParent)
	if err != nil {
		t.Fatal(err)
	}
	text, err := io.ReadAll(sorted)
	if err != nil {
		t.Fatal(err)
	}
	records := strings.Split(strings.TrimSuffix(string(text), "\n"), "\n")
	size := int64(len(long)) + 1
	for i, want := range []source.Origin{
		{Line: 1, Size: 9, Ended: true},
		{Line: 4, Offset: 14 + size, Size: 3},
		{Line: 2, Offset: 9, Size: 5, Ended: true},
		{Line: 3, Offset: 14, Size: size, Ended: true},
	} {
		got := sorted.Next()
		got.Item, got.Lines = 0, 0
		if got != want {
			t.Errorf("record %d: %+v, want %+v", i, got, want)
		}
	}
	if len(records) != 4 || len(records[3]) <= csvscan.MaxLine || records[3][:10] != long[:10] {
		t.Errorf("%d records, and the one that is too long has %d bytes", len(records), len(records[len(records)-1]))
	}
	if err := sorted.Close(); err != nil {
		t.Error(err)
	}
}

// TestErrors ends each reading with an error of the file or of the context.
func TestErrors(t *testing.T) {
	canceled, cancel := context.WithCancel(t.Context())
	cancel()
	broken := errors.New("disk on fire")
	works := map[string]func(context.Context, *ordering) error{
		"Examine":         func(ctx context.Context, d *ordering) error { _, err := d.examine(ctx); return err },
		"Sort":            func(ctx context.Context, d *ordering) error { _, err := d.sort(ctx, 1, byParent); return err },
		"Sort by item":    func(ctx context.Context, d *ordering) error { _, err := d.sort(ctx, 2, byItem); return err },
		"Sort by item, 3": func(ctx context.Context, d *ordering) error { _, err := d.sort(ctx, 3, byItem); return err },
	}
	for name, work := range works {
		t.Run(name, func(t *testing.T) {
			d := orderingOf(t, "1\n", "1,1\n", "1,1\n", "1,1\n")
			if err := work(canceled, d); !errors.Is(err, context.Canceled) {
				t.Errorf("canceled: %v", err)
			}
			d.open[1] = func() (io.ReadCloser, error) {
				return io.NopCloser(io.MultiReader(strings.NewReader("id,shelf\n1,1\n"), iotest.ErrReader(broken))), nil
			}
			var mistake *source.FileError
			if err := work(t.Context(), d); !errors.Is(err, broken) || !errors.As(err, &mistake) || mistake.File != "book.csv" {
				t.Errorf("a file that cannot be read: %v", err)
			}
			d.open[1] = func() (io.ReadCloser, error) { return nil, broken }
			if err := work(t.Context(), d); !errors.Is(err, broken) || !strings.Contains(err.Error(), "book.csv") {
				t.Errorf("a file that cannot be opened: %v", err)
			}
		})
	}
}

// closer calls a function when it is closed.
type closer struct {
	io.Reader
	closed func()
}

func (c closer) Close() error {
	c.closed()
	return nil
}

// TestSortingEndsWithTheContext ends the context after all files have been read, when only the sort remains, and again after the sort.
func TestSortingEndsWithTheContext(t *testing.T) {
	var books, pages strings.Builder
	for i := 200_000; i > 0; i-- {
		fmt.Fprintf(&pages, "%d,%d\n", i, i%7)
		if i%1000 == 0 {
			fmt.Fprintf(&books, "%d,1\n", i)
		}
	}
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	d := orderingOf(t, "1\n", books.String(), pages.String())
	for i := range d.open {
		open := d.open[i]
		d.open[i] = func() (io.ReadCloser, error) {
			text, err := open()
			return closer{text, func() {
				if i == 1 {
					cancel()
				}
			}}, err
		}
	}
	if _, err := d.sort(ctx, 2, byItem); !errors.Is(err, context.Canceled) {
		t.Errorf("Sort = %v", err)
	}
	ctx, cancel = context.WithCancel(t.Context())
	sorted, err := d.sort(ctx, 2, byParent)
	if err != nil {
		t.Fatal(err)
	}
	cancel()
	if n, err := io.Copy(io.Discard, sorted); !errors.Is(err, context.Canceled) || n > int64(pages.Len()/2) {
		t.Errorf("%d bytes were read: %v", n, err)
	}
	if err := sorted.Close(); err != nil {
		t.Error(err)
	}
}
