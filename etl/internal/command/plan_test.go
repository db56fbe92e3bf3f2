package command

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"systemscale/etl/internal/dump"
	"systemscale/etl/internal/dump/dumptest"
	"systemscale/etl/internal/plan"
	"systemscale/etl/internal/publish"
	"systemscale/etl/internal/source"
	"systemscale/sql"
	"systemscale/sql/testdb"
)

// shop is a small collection: a list, a document of each item, and a document of the rows of a child source.
const shop = `
collection: shop
sources:
  item: {file: item.csv, key: id, columns: {id: int, name: text, price: money}}
  tag:  {file: tag.csv, key: id, parent: item, on: item, columns: {id: int, item: int, word: text}}
documents:
  brief: {list: true, body: {id: id, name: name}}
  item:  {path: "", body: {id: id, name: name, price: price}}
  tags:  {path: tags, body: {each: tag, as: word}}
`

// shopFiles writes the files of items 1 to count. names has other names for some ids; "" removes the item.
func shopFiles(t *testing.T, count int, names map[int]string) string {
	t.Helper()
	directory := t.TempDir()
	var items, tags strings.Builder
	items.WriteString("id,name,price\n")
	tags.WriteString("id,item,word\n")
	for id := 1; id <= count; id++ {
		name, given := names[id]
		if given && name == "" {
			continue
		}
		if !given {
			name = fmt.Sprintf("item %d", id)
		}
		fmt.Fprintf(&items, "%d,%s,%d.50\n", id, name, id)
		fmt.Fprintf(&tags, "%d,%d,red\n", id, id)
	}
	dumptest.Write(t, directory, map[string]string{"shop.yaml": shop, "item.csv": items.String(), "tag.csv": tags.String()})
	return directory
}

// at runs a command of etl on a directory of shopFiles.
func at(t *testing.T, database testdb.Database, directory, command string, args ...string) (code int, stdout, stderr string) {
	t.Helper()
	all := []string{command, "--database", database.ETL, "--csv", directory, "--shape", filepath.Join(directory, "shop.yaml")}
	if command == "run" {
		all = append(all, "--rejects", filepath.Join(directory, "rejects"))
	}
	return etl(t.Context(), append(all, args...)...)
}

func must(t *testing.T, want int, code int, stdout, stderr string) string {
	t.Helper()
	if code != want {
		t.Fatalf("exit code %d, want %d\n%s\n%s", code, want, stdout, stderr)
	}
	return stdout
}

func TestPlan(t *testing.T) {
	database := testdb.New(t)
	conn := testdb.Connect(t, database.ETL)
	first := shopFiles(t, 250, nil)
	code, stdout, stderr := at(t, database, first, "plan")
	if text := must(t, exitChanges, code, stdout, stderr); !strings.Contains(text, "nothing is published yet") ||
		!strings.Contains(text, "brief       250        0        0          0     3  /shop?page={page}&count={count}") {
		t.Errorf("with nothing published:\n%s", text)
	}
	code, stdout, stderr = at(t, database, first, "run")
	must(t, exitOK, code, stdout, stderr)
	code, stdout, stderr = at(t, database, first, "plan")
	must(t, exitOK, code, stdout, stderr)

	// A renamed item on page 1, another on page 2, and item 150 removed: pages 1, 2 and 3 differ.
	second := shopFiles(t, 250, map[int]string{7: "seven", 130: "more", 150: ""})
	runs := "select count(*) from catalog.run"
	var before, after int
	_ = conn.QueryRow(t.Context(), runs).Scan(&before)
	// A plan does not wait for a running run.
	session, err := publish.Open(t.Context(), database.ETL, "shop", 1)
	if err != nil {
		t.Fatal(err)
	}
	code, stdout, stderr = at(t, database, second, "plan", "--json", "--samples", "1")
	session.Close()
	var got plan.Plan
	if err := json.Unmarshal([]byte(must(t, exitChanges, code, stdout, stderr)), &got); err != nil {
		t.Fatal(err)
	}
	if err := conn.QueryRow(t.Context(), runs).Scan(&after); err != nil || after != before {
		t.Errorf("%d runs before the plan, %d after (%v)", before, after, err)
	}
	if got.Live != 1 || got.Verdict != publish.Passed || len(got.Gates) != len(plan.Gates()) || len(got.Sources) != 2 ||
		got.Items != (publish.Items{Published: 250, Changed: 2, Removed: 1}) {
		t.Errorf("plan %+v", got)
	}
	want := []plan.Change{
		{
			EndpointCounts: publish.EndpointCounts{Name: "brief", Counts: publish.Counts{Changed: 2, Removed: 1, Unchanged: 247}},
			URLs:           plan.URLs{Template: "/shop?page={page}&count={count}", Count: 3, First: []string{"/shop?page=1&count=100"}},
			Samples:        []plan.Sample{{URL: "/shop/7", ID: sql.IntID(7), Fields: []plan.FieldChange{{Path: "name", Old: `"item 7"`, New: `"seven"`}}}},
		},
		{
			EndpointCounts: publish.EndpointCounts{Name: "item", Counts: publish.Counts{Changed: 2, Removed: 1, Unchanged: 247}},
			URLs:           plan.URLs{Template: "/shop/{id}", Count: 3, First: []string{"/shop/7"}},
			Samples:        []plan.Sample{{URL: "/shop/7", ID: sql.IntID(7), Fields: []plan.FieldChange{{Path: "name", Old: `"item 7"`, New: `"seven"`}}}},
		},
		{
			EndpointCounts: publish.EndpointCounts{Name: "tags", Counts: publish.Counts{Removed: 1, Unchanged: 249}},
			URLs:           plan.URLs{Template: "/shop/{id}/tags", Count: 1, First: []string{"/shop/150/tags"}}, Samples: []plan.Sample{},
		},
	}
	if diff := cmp.Diff(want, got.Documents, cmpopts.EquateComparable(sql.ID{})); diff != "" {
		t.Errorf("documents: want (-), got (+)\n%s", diff)
	}
	code, stdout, stderr = at(t, database, second, "run", "--dry-run")
	if text := must(t, exitChanges, code, stdout, stderr); !strings.Contains(text, "  /shop/7\n    name: \"item 7\" → \"seven\"\n") ||
		!strings.Contains(text, "Nothing was written") {
		t.Errorf("the dry run prints\n%s", text)
	}
	code, stdout, stderr = at(t, database, shopFiles(t, 100, nil), "plan")
	if text := must(t, 22, code, stdout, stderr); !strings.Contains(text, "150 of 250 published items would be removed") || stderr != "" &&
		strings.Contains(stderr, "etl:") {
		t.Errorf("with a gate that would fail:\n%s\n%s", text, stderr)
	}
}

// TestPlanWarnsOfBreakingChanges changes the shape of a published collection.
// TestPlanShowsRejects plans with a file of which one row is rejected: the plan has the reason, and the row.
func TestPlanShowsRejects(t *testing.T) {
	directory := shopFiles(t, 3, nil)
	dumptest.Write(t, directory, map[string]string{"tag.csv": "id,item,word\n1,1,red\nx,2,blue\n"})
	code, stdout, stderr := at(t, testdb.New(t), directory, "plan")
	for _, want := range []string{
		"\ntag.csv: 1 rejected: not an int\n", "\nThe first rejected rows:\n  tag.csv:3: id not an int: `x,2,blue`\n",
		"rejects: more than 1% of the rows are rejected: tag.csv 50% (1 of 2; 1 rejected: not an int). Correct the files",
	} {
		if code != 21 || !strings.Contains(stdout, want) {
			t.Errorf("exit code %d, %s, want %q in\n%s", code, stderr, want, stdout)
		}
	}
}

func TestPlanWarnsOfBreakingChanges(t *testing.T) {
	database := testdb.New(t)
	directory := shopFiles(t, 3, nil)
	code, stdout, stderr := at(t, database, directory, "run")
	must(t, exitOK, code, stdout, stderr)
	warns := func(old, changed string, want ...string) {
		t.Helper()
		if !strings.Contains(shop, old) {
			t.Fatalf("%q is not in the shape", old)
		}
		dumptest.Write(t, directory, map[string]string{"shop.yaml": strings.Replace(shop, old, changed, 1)})
		_, stdout, _ := at(t, database, directory, "plan", "--json")
		var got plan.Plan
		if err := json.Unmarshal([]byte(stdout), &got); err != nil {
			t.Fatalf("%v: %s", err, stdout)
		}
		if !slices.Equal(got.BreakingChanges, want) {
			t.Errorf("%s → %s breaks %q, want %q", old, changed, got.BreakingChanges, want)
		}
		_, stdout, _ = at(t, database, directory, "plan")
		for _, line := range want {
			if !strings.Contains(stdout, line) {
				t.Errorf("the plan does not contain %q:\n%s", line, stdout)
			}
		}
	}
	warns("price: price", "price: price, word: name")
	warns("name: name, price: price", "name: name", "GET /shop/{id}: price was removed")
	warns("path: tags", "path: words", "GET /shop/{id}/tags: is gone")
	warns("{id: id, name: name, price", "{id: {text: id}, name: name, price", "GET /shop/{id}: id changed its type from integer to string")

	// A delta updates the schemas of the documents.
	dumptest.Write(t, directory, map[string]string{"shop.yaml": strings.Replace(shop, "name: name, price: price", "name: name", 1)})
	code, stdout, stderr = at(t, database, directory, "run", "--mode", "delta", "--accept", "changed")
	must(t, exitOK, code, stdout, stderr)
	if !strings.Contains(stderr, "price was removed") {
		t.Errorf("the run does not report the breaking changes:\n%s", stderr)
	}
	warns("name: name, price: price", "name: name")
}

// TestRunChoosesMode publishes a first version, no changes, a few changes and many.
func TestRunChoosesMode(t *testing.T) {
	database := testdb.New(t)
	conn := testdb.Connect(t, database.ETL)
	few := map[int]string{3: "three", 9: ""}
	many := map[int]string{}
	for id := 1; id <= 90; id++ {
		many[id] = fmt.Sprintf("changed %d", id)
	}
	for _, c := range []struct {
		name       string
		files      map[int]string
		args       []string
		state      string
		mode       string
		generation int
		want       string
	}{
		{"the first", nil, nil, "published", "generation", 1, "version 1 is published"},
		{"nothing", nil, nil, "unchanged", "delta", 0, "nothing changed, and version 1 stays"},
		{"a few", few, nil, "published", "delta", 1, "version 3 is published"},
		{"many above the limit", many, []string{"--delta-limit", "10%"}, "published", "generation", 4, "version 4 is published"},
		{"many, as a delta", few, []string{"--mode", "delta"}, "published", "delta", 4, "version 5 is published"},
		{"a few, as a generation", nil, []string{"--mode", "generation"}, "published", "generation", 6, "version 6 is published"},
		{"a few above the limit", few, []string{"--delta-limit", "0%"}, "published", "generation", 7, "version 7 is published"},
		{"many of a small catalog", many, nil, "published", "delta", 7, "version 8 is published"},
	} {
		directory := shopFiles(t, 200, c.files)
		code, stdout, stderr := at(t, database, directory, "run", c.args...)
		if text := must(t, exitOK, code, stdout, stderr); !strings.Contains(text, c.want) {
			t.Errorf("%s: the output does not contain %q:\n%s", c.name, c.want, text)
		}
		var state, mode, verdict, shape string
		var generation int
		err := conn.QueryRow(t.Context(),
			"select state, mode, verdict, shape, coalesce(generation, 0) from catalog.run order by id desc limit 1").Scan(&state, &mode, &verdict,
			&shape, &generation)
		if err != nil || state != c.state || mode != c.mode || generation != c.generation || verdict != string(publish.Passed) ||
			len(shape) != 32 {
			t.Errorf("%s: %s, %s, generation %d, verdict %s, shape %s (%v); want %s, %s, %d", c.name, state, mode, generation, verdict, shape, err,
				c.state, c.mode, c.generation)
		}
		if code, _, _ := at(t, database, directory, "plan"); code != exitOK {
			t.Errorf("%s: the published documents differ from the files", c.name)
		}
	}
	t.Run("other endpoints", func(t *testing.T) {
		directory := shopFiles(t, 200, few)
		dumptest.Write(t, directory, map[string]string{"shop.yaml": strings.Replace(shop, "path: tags", "path: words", 1)})
		if code, _, stderr := at(t, database, directory, "run", "--mode", "delta"); code != exitUsage ||
			!strings.Contains(stderr, "use --mode auto") {
			t.Errorf("as a delta: exit code %d, %s", code, stderr)
		}
		code, stdout, stderr := at(t, database, directory, "run")
		must(t, exitOK, code, stdout, stderr)
		code, stdout, stderr = etl(t.Context(), "rollback", "--no-hold", "--database", database.ETL, "--collection", "shop")
		must(t, exitOK, code, stdout, stderr)
		var path string
		if err := conn.QueryRow(t.Context(), "select documents -> 2 ->> 'path' from catalog.version").Scan(&path); err != nil || path != "tags" {
			t.Errorf("after the rollback the document's path is %q (%v)", path, err)
		}
	})
}

// TestFilesChangeBetweenThePasses replaces a file after the first pass. Documents that the gates have not evaluated must not be published.
func TestFilesChangeBetweenThePasses(t *testing.T) {
	database := testdb.New(t)
	first := shopFiles(t, 50, nil)
	code, stdout, stderr := at(t, database, first, "run")
	must(t, exitOK, code, stdout, stderr)

	directory := shopFiles(t, 50, map[int]string{5: "five"})
	flags := &runCommand{Streams: 1}
	flags.Compare.Files = fileFlags{CSV: directory, Shape: filepath.Join(directory, "shop.yaml")}
	out := newOutput(io.Discard, io.Discard)
	open := func() *dump.Dump {
		d, err := dump.Open(t.Context(), flags.Compare.options(out))
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(d.Close)
		return d
	}
	session, err := publish.Open(t.Context(), database.ETL, "shop", 1)
	if err != nil {
		t.Fatal(err)
	}
	defer session.Close()
	d := open()
	a := &attempt{
		run: &run{flags: flags, out: out, session: session, endpoints: d.Spec().Published()}, dump: d, rejects: &source.RejectFiles{},
	}
	if a.comparison, err = publish.Compare(t.Context(), database.ETL, "shop", a.run.endpoints); err != nil {
		t.Fatal(err)
	}
	defer a.comparison.Close()
	a.survey = plan.NewSurvey(d.Spec(), a.comparison, nil, 0)
	if err := d.Pass(t.Context(), dump.Handlers{Document: a.survey.Take}); err != nil {
		t.Fatal(err)
	}
	fails := func(want string) {
		t.Helper()
		if a.run.published, err = session.Begin(t.Context(), publish.Generation); err != nil {
			t.Fatal(err)
		}
		_, err := a.loadAgain(t.Context())
		if exitCode(err) != exitFiles || !strings.Contains(err.Error(), want) {
			t.Errorf("loadAgain = %v, want %s", err, want)
		}
		if err := a.run.published.Abort(err, publish.Record{}); err != nil {
			t.Fatal(err)
		}
	}
	// Only the end of the second pass detects this: a file that is opened again may be another one with the same name.
	twice := filepath.Join(directory, "item.csv.gz")
	put(t, twice, nil)
	fails("item.csv: the file changed while it was read")
	text, err := os.ReadFile(filepath.Join(shopFiles(t, 50, map[int]string{5: "fine"}), "item.csv"))
	if err := errors.Join(err, os.Remove(twice)); err != nil {
		t.Fatal(err)
	}
	dumptest.Write(t, directory, map[string]string{"item.csv": string(text)})
	fails("item.csv: the file changed while it was read")
	// The documents are compared too, because some file systems do not record the time of the change.
	a.dump = open()
	fails("the files changed while they were read")
}

func TestHistoryAndRollback(t *testing.T) {
	database := testdb.New(t)
	conn := testdb.Connect(t, database.API)
	about := []string{"--database", database.ETL, "--collection", "shop"}
	history := func(args ...string) string {
		t.Helper()
		code, stdout, stderr := etl(t.Context(), append(append([]string{"history"}, about...), args...)...)
		return must(t, exitOK, code, stdout, stderr)
	}
	if text := history(); !strings.Contains(text, "No run of shop yet") {
		t.Errorf("an empty history: %s", text)
	}
	name := func() string { return written(t, conn, "shop", "brief", 3) }
	for i, files := range []map[int]string{nil, {3: "three"}, {3: "drei"}} {
		code, stdout, stderr := at(t, database, shopFiles(t, 40, files), "run", "--keep", "1")
		must(t, exitOK, code, stdout, fmt.Sprint(i, stderr))
	}
	if code, _, stderr := at(t, database, shopFiles(t, 10, nil), "run"); code != 22 {
		t.Fatalf("exit code %d: %s", code, stderr)
	}
	code, stdout, stderr := etl(t.Context(), append([]string{"rollback", "--no-hold", "--keep", "2"}, about...)...)
	if text := must(t, exitOK, code, stdout, stderr); !strings.Contains(text, "version 5 is published, with the documents of version 2") ||
		!strings.Contains(name(), "three") {
		t.Errorf("after the rollback the name is %s, and the output\n%s", name(), text)
	}
	text := history()
	for i, want := range []string{
		"5 published rollback - - - 0 2 0 live",
		"4 failed delta failed 20 0 0 2 90",
		"3 published delta passed 80 0 0 2 0 kept",
		"2 published delta passed 80 0 0 2 0 kept",
		"1 published generation passed 80 0 120 0 0",
	} {
		fields := strings.Fields(strings.Split(text, "\n")[i+1])
		got := strings.Join(append(fields[:1:1], fields[5:]...), " ") // without the times
		if got != want {
			t.Errorf("line %d is %q, want %q", i, got, want)
		}
	}
	if !strings.Contains(text, "run 4: nothing is published, because a gate failed") {
		t.Errorf("the history does not have the reason:\n%s", text)
	}
	var runs []publish.PastRun
	if err := json.Unmarshal([]byte(history("--json", "--limit", "2")), &runs); err != nil || len(runs) != 2 || runs[0].Run != 5 ||
		!runs[0].Live ||
		!strings.Contains(string(runs[1].Sources), `"item.csv"`) || !strings.Contains(string(runs[1].Gates), `"failed"`) {
		t.Errorf("history --json: %+v, %v", runs, err)
	}
	for _, c := range []struct {
		args []string
		want string
	}{
		{[]string{"--to", "1"}, "run 1 has published no version of shop that is kept; --to takes one of 3 ("},
		{[]string{"--to", "4"}, "run 4 has published no version"},
		{[]string{"--to=-4"}, "--to must be a run"},
		{[]string{"--keep", "0"}, "--keep must be between 1 and 100"},
	} {
		code, _, stderr := etl(t.Context(), append(append([]string{"rollback"}, about...), c.args...)...)
		if code != exitUsage || !strings.Contains(stderr, c.want) {
			t.Errorf("%v: exit code %d, %s; want %s", c.args, code, stderr, c.want)
		}
	}
	if code, _, stderr := etl(t.Context(), "rollback", "--database", database.ETL, "--collection", "none"); code != exitUsage ||
		!strings.Contains(stderr, "nothing is published of none") {
		t.Errorf("exit code %d, %s", code, stderr)
	}
}

// TestGatesStopARun has each gate that depends on files fail, and then accepts the failure.
func TestGatesStopARun(t *testing.T) {
	database := testdb.New(t)
	conn := testdb.Connect(t, database.ETL)
	code, stdout, stderr := at(t, database, shopFiles(t, 100, nil), "run")
	must(t, exitOK, code, stdout, stderr)
	many := map[int]string{}
	for id := range 60 {
		many[id+1] = fmt.Sprint("new ", id)
	}
	for _, c := range []struct {
		gate  plan.Gate
		files string
		args  []string
		code  int
		want  string
	}{
		{plan.Rejects, shopFiles(t, 100, map[int]string{5: "a,b", 6: "c,d"}), nil, 21, "item.csv 2% (2 of 100; 2 rejected: field count)"},
		{plan.Removed, shopFiles(t, 90, nil), nil, 22, "10 of 100 published items would be removed"},
		{plan.Changed, shopFiles(t, 100, many), nil, 23, "60 of 100 published items would change"},
		{plan.EmptyFile, shopFiles(t, 100, nil), []string{"--min-rows", "101"}, 25, "item.csv has 100, tag.csv has 100"},
		{plan.DocumentSize, shopFiles(t, 100, nil), []string{"--max-document", "20B"}, 26, "--max-document"},
	} {
		t.Run(string(c.gate), func(t *testing.T) {
			var before, after int64
			if err := conn.QueryRow(t.Context(), "select run_id from catalog.version").Scan(&before); err != nil {
				t.Fatal(err)
			}
			code, stdout, stderr := at(t, database, c.files, "run", c.args...)
			if code != c.code || !strings.Contains(stderr, c.want) || !strings.Contains(stderr, "--accept "+string(c.gate)) {
				t.Errorf("exit code %d, want %d; stderr %s", code, c.code, stderr)
			}
			if !strings.Contains(stdout, "failed") {
				t.Errorf("the report does not show the gate:\n%s", stdout)
			}
			var state, verdict string
			err := conn.QueryRow(t.Context(),
				"select state, verdict, v.run_id from catalog.run r, catalog.version v order by r.id desc limit 1").Scan(&state, &verdict, &after)
			if err != nil || state != "failed" || verdict != "failed" || after != before {
				t.Errorf("the run is %s, %s, and version %d is live, before it was %d (%v)", state, verdict, after, before, err)
			}
			accept := append([]string{"--accept", string(c.gate), "--accept", string(plan.Removed)}, c.args...)
			code, stdout, stderr = at(t, database, c.files, "run", accept...)
			if text := must(t, exitOK, code, stdout, stderr); !strings.Contains(text, "accepted") {
				t.Errorf("the report does not show the accepted gate:\n%s", text)
			}
			if err := conn.QueryRow(t.Context(), "select verdict from catalog.run order by id desc limit 1").Scan(&verdict); err != nil ||
				verdict != string(publish.Accepted) {
				t.Errorf("the verdict is %s (%v)", verdict, err)
			}
			if c.gate == plan.EmptyFile || c.gate == plan.DocumentSize {
				return // the documents are equal
			}
			code, stdout, stderr = etl(t.Context(), "rollback", "--no-hold", "--database", database.ETL, "--collection", "shop")
			must(t, exitOK, code, stdout, stderr)
		})
	}
	t.Run("an unknown gate", func(t *testing.T) {
		if code, _, stderr := at(t, database, shopFiles(t, 1, nil), "run", "--accept", "everything"); code != exitUsage ||
			!strings.Contains(stderr, `there is no gate "everything"; there are truncated-file, unreconciled,`) {
			t.Errorf("exit code %d: %s", code, stderr)
		}
	})
}
