package dump

import (
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/goccy/go-json"
	"github.com/google/go-cmp/cmp"

	"systemscale/etl/internal/dump/dumptest"
	"systemscale/etl/internal/source"
	"systemscale/sql"
)

// shop has look-ups of a look-up source, of an item, and of an item that shows an item.
const shop = `collection: shop
dialect: {null: "null"}
sources:
  item: {file: item.csv, key: id, columns: {id: int, kind: int?, name: text}}
  kind: {file: kind.csv, key: code, columns: {code: int, title: text?}}
  like:
    file: like.csv
    key: id
    parent: item
    on: item
    columns: {id: int, item: int, other: int, other_name: {lookup: item, by: other, show: name}}
documents:
  item:
    path: ""
    body:
      name: name
      kind: {lookup: kind, by: kind, as: {code: code, title: title}}
      likes: {each: like, as: {lookup: item, by: other, as: {name: name, likes: {each: like, as: {lookup: item, by: other, as: name}}}}}
`

// rejected is a source.Sink that counts rejects.
type rejected map[string]int

func (r rejected) Reject(reject source.Reject) error {
	r[fmt.Sprintf("%s:%d %s", reject.File, reject.Line, reject.Reason)]++
	return nil
}

// renderAll returns the documents of a dump by endpoint and id, the last attempt's Dump, and its rejects.
func renderAll(t testing.TB, options Options) (documents map[string]string, last *Dump, rejects rejected) {
	t.Helper()
	options.Logger = slog.New(slog.DiscardHandler)
	d, err := Open(t.Context(), options)
	if err != nil {
		t.Fatal(err)
	}
	defer d.Close()
	err = d.Arranged(t.Context(), func(d *Dump) error {
		documents, last, rejects = map[string]string{}, d, rejected{}
		return d.Pass(t.Context(), Handlers{
			Rejects: rejects,
			Document: func(document int, id sql.ID, etag uint64, body []byte) error {
				documents[fmt.Sprintf("%s %s", d.Spec().Endpoints[document].Name, id)] = fmt.Sprintf("%016x %s", etag, body)
				return nil
			},
		})
	})
	if err != nil {
		t.Fatal(err)
	}
	return documents, last, rejects
}

// TestLookupsLikeAMap compares the documents of random dumps with those of plain maps. Keys are missing, null and duplicate, and the files
// are in any order.
func TestLookupsLikeAMap(t *testing.T) {
	type row struct {
		name, kind string
		likes      []int
	}
	random := rand.New(rand.NewPCG(3, 4))
	quote := func(text string) string { return `"` + strings.ReplaceAll(text, `"`, `""`) + `"` }
	encode := func(value any) string {
		text, err := json.MarshalWithOption(value, json.DisableHTMLEscape())
		if err != nil {
			t.Fatal(err)
		}
		return string(text)
	}
	for round := range 40 {
		size := 1 + random.IntN(40)
		kinds, items := map[string]string{}, map[int]row{}
		kindText, itemText, likeText := "code,title\n", "id,kind,name\n", "id,item,other\n"
		for range random.IntN(60) {
			code, title := fmt.Sprint(random.IntN(20)-5), fmt.Sprintf(`%d "ä" \`, random.IntN(1_000_000_000))
			field := quote(title)
			title = encode(title)
			if random.IntN(5) == 0 {
				field, title = "null", "null"
			}
			kindText += code + "," + field + "\n"
			if _, found := kinds[code]; !found {
				kinds[code] = fmt.Sprintf(`{"code":%s,"title":%s}`, code, title)
			}
		}
		ids := random.Perm(size)
		if round%2 == 0 {
			for i := range ids {
				ids[i] = i
			}
		}
		for _, id := range ids {
			r := row{name: strings.Repeat("n", random.IntN(40)) + fmt.Sprint(id), kind: fmt.Sprint(random.IntN(20) - 5)}
			if random.IntN(5) == 0 {
				r.kind = "null"
			}
			itemText += fmt.Sprintf("%d,%s,%s\n", id, r.kind, r.name)
			for range random.IntN(4) {
				r.likes = append(r.likes, random.IntN(size+2))
				likeText += fmt.Sprintf("%d,%d,%d\n", len(likeText), id, r.likes[len(r.likes)-1])
			}
			items[id] = r
		}
		name := func(id int) string {
			if r, found := items[id]; found {
				return encode(r.name)
			}
			return "null"
		}
		want := map[string]string{}
		for id, r := range items {
			var likes []string
			for _, other := range r.likes {
				liked, found := items[other]
				if !found {
					likes = append(likes, "null")
					continue
				}
				var theirs []string
				for _, theirLike := range liked.likes {
					theirs = append(theirs, name(theirLike))
				}
				likes = append(likes, fmt.Sprintf(`{"name":%s,"likes":[%s]}`, encode(liked.name), strings.Join(theirs, ",")))
			}
			kind, found := kinds[r.kind]
			if !found {
				kind = "null"
			}
			want[fmt.Sprint("item ", id)] = fmt.Sprintf(`{"name":%s,"kind":%s,"likes":[%s]}`, encode(r.name), kind, strings.Join(likes, ","))
		}
		directory := t.TempDir()
		dumptest.Write(t, directory, map[string]string{"shop.yaml": shop, "kind.csv": kindText, "item.csv": itemText, "like.csv": likeText})
		got, _, _ := renderAll(t, Options{Directory: directory, Shape: filepath.Join(directory, "shop.yaml"), MaxDocument: 1 << 20})
		for address := range got {
			got[address] = got[address][len("0123456789abcdef "):]
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Fatalf("round %d: want (-), got (+)\n%s", round, diff)
		}
	}
}

// writeShop writes a small shop: two items, one of which likes the other, and a kind twice.
func writeShop(t testing.TB, files map[string]string) Options {
	t.Helper()
	directory := t.TempDir()
	dumptest.Write(t, directory, map[string]string{
		"shop.yaml": shop, "item.csv": "id,kind,name\n1,7,One\n2,8,Two\n", "kind.csv": "code,title\n8,Eight\n7,Seven\n8,Again\n",
		"like.csv": "id,item,other\n1,2,1\n2,9,1\n",
	})
	dumptest.Write(t, directory, files)
	return Options{Directory: directory, Shape: filepath.Join(directory, "shop.yaml"), Logger: slog.New(slog.DiscardHandler)}
}

// TestLookupCounts counts each row of each file once, although the items are read three times, and rejects each bad row once.
func TestLookupCounts(t *testing.T) {
	_, d, rejects := renderAll(t, writeShop(t, nil))
	if diff := cmp.Diff(rejected{"kind.csv:4 duplicate key": 1, "like.csv:3 orphan": 1}, rejects); diff != "" {
		t.Errorf("rejects: want (-), got (+)\n%s", diff)
	}
	var got []string
	for _, c := range d.Counts() {
		got = append(got, fmt.Sprintf("%s %d %d %d", c.File, c.Read, c.Used, source.Sum(c.Rejected)))
		if c.Unreconciled() != 0 || c.Fingerprint == "" || c.Ending == nil {
			t.Errorf("%s: %d unreconciled, fingerprint %q, ending %v", c.File, c.Unreconciled(), c.Fingerprint, c.Ending)
		}
	}
	if diff := cmp.Diff([]string{"item.csv 2 2 0", "like.csv 2 1 1", "kind.csv 3 2 1"}, got); diff != "" {
		t.Errorf("counts: want (-), got (+)\n%s", diff)
	}
	if d.Position() != d.Size() {
		t.Errorf("at %d of %d at the end", d.Position(), d.Size())
	}
}

// TestLookupInADialect looks up items and others in files in latin1, without headers, and with looked-up columns before others.
func TestLookupInADialect(t *testing.T) {
	text := strings.NewReplacer(`null: "null"`, `null: "null", encoding: latin1, header: false`,
		"{id: int, item: int, other: int, other_name: {lookup: item, by: other, show: name}}",
		"{other_name: {lookup: item, by: other, show: name}, id: int, item: int, other: int}").Replace(shop)
	got, _, _ := renderAll(t, writeShop(t, map[string]string{
		"shop.yaml": text, "item.csv": "1,7,Gr\xfcn\n2,8,Two\n", "kind.csv": "7,S\xfc\xdf\n", "like.csv": "1,2,1\n",
	}))
	if want := `{"name":"Two","kind":null,"likes":[{"name":"Grün","likes":[]}]}`; !strings.HasSuffix(got["item 2"], want) {
		t.Errorf("got %s, want %s", got["item 2"], want)
	}
	if want := `{"name":"Grün","kind":{"code":7,"title":"Süß"},"likes":[]}`; !strings.HasSuffix(got["item 1"], want) {
		t.Errorf("got %s, want %s", got["item 1"], want)
	}
}

// TestLookupInSeveralFiles looks up items and others in files that match a pattern, in the wrong order.
func TestLookupInSeveralFiles(t *testing.T) {
	options := writeShop(t, map[string]string{
		"shop.yaml":  strings.NewReplacer("file: item.csv", "file: item-*.csv", "file: kind.csv", "file: kind-*.csv").Replace(shop),
		"item-1.csv": "id,kind,name\n2,8,Two\n", "item-2.csv": "id,kind,name\n1,7,One\n",
		"kind-1.csv": "code,title\n8,Eight\n", "kind-2.csv": "code,title\n7,Seven\n8,Again\n",
	})
	for _, name := range []string{"item.csv", "kind.csv"} {
		if err := os.Remove(filepath.Join(options.Directory, name)); err != nil {
			t.Fatal(err)
		}
	}
	got, _, rejects := renderAll(t, options)
	want := `{"name":"Two","kind":{"code":8,"title":"Eight"},"likes":[{"name":"One","likes":[]}]}`
	if !strings.HasSuffix(got["item 2"], want) {
		t.Errorf("got %s, want %s", got["item 2"], want)
	}
	if rejects["kind-2.csv:3 duplicate key"] != 1 {
		t.Errorf("rejects %v", rejects)
	}
}

// TestLookupChangesEtags changes one row that is looked up. Exactly the documents that show it change.
func TestLookupChangesEtags(t *testing.T) {
	before, _, _ := renderAll(t, writeShop(t, nil))
	for _, c := range []struct {
		name, file, text string
		want             []string
	}{
		{"a kind", "kind.csv", "code,title\n8,Eight\n7,Sieben\n8,Again\n", []string{"item 1"}},
		{"an item", "item.csv", "id,kind,name\n1,7,Eins\n2,8,Two\n", []string{"item 1", "item 2"}},
		{"an item that no other likes", "item.csv", "id,kind,name\n1,7,One\n2,8,Zwei\n", []string{"item 2"}},
	} {
		after, _, _ := renderAll(t, writeShop(t, map[string]string{c.file: c.text}))
		var changed []string
		for _, address := range []string{"item 1", "item 2"} {
			if before[address] != after[address] {
				changed = append(changed, address)
			}
		}
		if diff := cmp.Diff(c.want, changed); diff != "" {
			t.Errorf("%s: want (-), got (+)\n%s", c.name, diff)
		}
	}
}

// TestLookupFileErrors treats the files of look-up sources like all others.
func TestLookupFileErrors(t *testing.T) {
	options := writeShop(t, nil)
	kind := filepath.Join(options.Directory, "kind.csv")
	d, err := Open(t.Context(), options)
	if err != nil {
		t.Fatal(err)
	}
	defer d.Close()
	if err := os.WriteFile(kind, []byte("code,title\n7,Another text\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	err = d.Pass(t.Context(), Handlers{Document: func(int, sql.ID, uint64, []byte) error { return nil }})
	if err == nil || !strings.Contains(err.Error(), "kind.csv: the file changed while it was read") {
		t.Errorf("a file that changes: %v", err)
	}
	if err := os.Remove(kind); err != nil {
		t.Fatal(err)
	}
	if _, err := Open(t.Context(), options); !errors.Is(err, fs.ErrNotExist) || !strings.Contains(err.Error(), "source kind") {
		t.Errorf("a file that is missing: %v", err)
	}
}

// TestLookupOfAMissingColumn reads a missing column of a look-up source as null.
func TestLookupOfAMissingColumn(t *testing.T) {
	options := writeShop(t, map[string]string{"kind.csv": "code\n7\n8\n"})
	options.Accepts = func(kind source.Kind) bool { return kind == source.MissingColumn || kind == source.Empty }
	got, _, _ := renderAll(t, options)
	if !strings.Contains(got["item 1"], `"kind":{"code":7,"title":null}`) {
		t.Errorf("got %s", got["item 1"])
	}
	dumptest.Write(t, options.Directory, map[string]string{"kind.csv": ""})
	got, _, _ = renderAll(t, options)
	if !strings.Contains(got["item 1"], `"kind":null`) {
		t.Errorf("got %s", got["item 1"])
	}
}

// TestLookupInALargeItem looks up by enough rows of one item that the reader moves the texts of its rows.
func TestLookupInALargeItem(t *testing.T) {
	likes, long := "id,item,other\n", strings.Repeat("x", 900)
	likes += strings.Repeat("7,0,1\n", 50_000) // so that the rows are not at the beginning of the scanner's buffer
	for i := range 600 {
		likes += fmt.Sprintf("%d,2,%d\n", i, i%3)
	}
	options := writeShop(t, map[string]string{"like.csv": likes, "item.csv": "id,kind,name\n1,7," + long + "\n2,8,Two\n"})
	options.MaxDocument = 1 << 30
	got, _, _ := renderAll(t, options)
	if n := strings.Count(got["item 2"], `{"name":"`+long+`","likes":[]}`); n != 200 {
		t.Errorf("%d times, want 200", n)
	}
	options.MaxDocument = 100_000
	d, err := Open(t.Context(), options)
	if err != nil {
		t.Fatal(err)
	}
	defer d.Close()
	err = d.Pass(t.Context(), Handlers{Document: func(int, sql.ID, uint64, []byte) error { return nil }})
	if _, ok := errors.AsType[*OversizeError](err); !ok {
		t.Errorf("error %v, want an OversizeError", err)
	}
}

// TestLookupWarnsOfWide names the field that shows a wide int of another source.
func TestLookupWarnsOfWide(t *testing.T) {
	options := writeShop(t, map[string]string{"kind.csv": "code,title\n9007199254740993,Wide\n"})
	var log strings.Builder
	options.Logger = slog.New(slog.NewTextHandler(&log, nil))
	d, err := Open(t.Context(), options)
	if err != nil {
		t.Fatal(err)
	}
	defer d.Close()
	if err := d.Read(); err != nil {
		t.Fatal(err)
	}
	d.WarnOfWide()
	if !strings.Contains(log.String(), "field=kind.code where=kind.csv:2") {
		t.Errorf("log %s", log.String())
	}
}
