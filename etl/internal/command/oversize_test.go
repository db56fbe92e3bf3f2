package command

import (
	"bufio"
	"bytes"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/goccy/go-json"

	"systemscale/etl/internal/dump/dumptest"
	"systemscale/etl/internal/plan"
	"systemscale/etl/internal/publish"
	"systemscale/sql/testdb"
)

// fat is a shape with a column that no document has.
const fat = `
collection: fat
dialect: {final_newline: optional}
sources:
  item: {file: item.csv, key: id, columns: {id: int, name: text}}
  part: {file: part.csv, key: id, parent: item, on: item, columns: {id: int, item: int, name: text, note: text}, filters: {none: {column: note, drop: drop}}}
  leaf: {file: leaf.csv, key: id, parent: part, on: part, columns: {id: int, part: int}}
documents:
  brief: {list: true, body: {name: name}}
  whole: {path: "", body: {name: name, parts: {each: part, as: {name: name, leaves: {each: leaf, as: id}}}}}
`

// hidden is fat without documents of parts.
var hidden = strings.Replace(fat, ", parts: {each: part, as: {name: name, leaves: {each: leaf, as: id}}}", "", 1)

// fatRows is a number of rows that take some hundred megabytes in one item.
const fatRows = 400_000

// fatFiles writes files of four items, of which the first and the last have a part. row returns further rows of part.csv, by number.
func fatFiles(t *testing.T, rows int, row func(n int) string) string {
	t.Helper()
	directory := t.TempDir()
	dumptest.Write(t, directory, map[string]string{
		"fat.yaml": fat, "item.csv": "id,name\n1,one\n2,two\n4,four\n5,five\n", "leaf.csv": "id,part\n1,1\n2,9000000\n",
	})
	file, err := os.Create(filepath.Join(directory, "part.csv"))
	if err != nil {
		t.Fatal(err)
	}
	out := bufio.NewWriter(file)
	_, _ = out.WriteString("id,item,name,note\n1,1,first,note\n")
	for n := range rows {
		_, _ = out.WriteString(row(n) + "\n")
	}
	_, _ = out.WriteString("9000000,5,last,note\n")
	if err := out.Flush(); err != nil {
		t.Fatal(err)
	}
	if err := file.Close(); err != nil {
		t.Fatal(err)
	}
	return directory
}

// memoryVariable makes TestMain of a child process a command of etl.
const memoryVariable = "ETL_TEST_MEMORY"

// memoryOf runs a command line in a separate process, and returns its exit code, its output, and the memory that it obtained from the
// system, in bytes.
func memoryOf(t *testing.T, args ...string) (code int, text string, memory int64) {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), os.Args[0], append([]string{"-test.run=TestMemoryChild", "--"}, args...)...)
	cmd.Env = append(os.Environ(), memoryVariable+"=1")
	out, err := cmd.CombinedOutput()
	if err != nil {
		t.Fatalf("%v: %v\n%s", args, err, out)
	}
	_, result, found := bytes.Cut(out, []byte("memory of the child: "))
	fields := strings.Fields(string(result))
	if !found || len(fields) < 2 {
		t.Fatalf("%v: %s", args, out)
	}
	if code, err = strconv.Atoi(fields[0]); err == nil {
		memory, err = strconv.ParseInt(fields[1], 10, 64)
	}
	if err != nil {
		t.Fatal(err)
	}
	return code, string(out), memory
}

// TestMemoryChild is the child process of memoryOf. It passes otherwise.
func TestMemoryChild(t *testing.T) {
	if os.Getenv(memoryVariable) == "" {
		return
	}
	code := Run(t.Context(), os.Args[slices.Index(os.Args, "--")+1:], os.Stdout, os.Stderr)
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	fmt.Printf("memory of the child: %d %d\n", code, m.Sys) // Sys never decreases
}

// TestLargeItemsNeedBoundedMemory has many rows of one item, or of others between the rows of one item.
func TestLargeItemsNeedBoundedMemory(t *testing.T) {
	long := strings.Repeat("hidden ", 20)
	cases := []struct {
		name string
		row  func(n int) string
		code int
		want string
	}{
		{
			"all of one item", func(n int) string { return strconv.Itoa(n+2) + ",1,name,note" }, 26,
			"part.csv:[0-9]+: whole 1 has more than 1048576 bytes at this line",
		},
		{
			"all of one item, and in the wrong order", func(n int) string { return strconv.Itoa(n+2) + "," + strconv.Itoa(2-n%2) + ",name,note" },
			26, "whole 1 has more than 1048576 bytes",
		},
		{"of which little is shown", func(n int) string { return strconv.Itoa(n+2) + ",1,," + long }, 26, "whole 1 has more than"},
		{"of which nothing is shown", func(n int) string { return strconv.Itoa(n+2) + ",1,,x" }, 26, "the rows of item 1 take more than"},
		{"duplicates", func(int) string { return "1,1,name,note" }, exitOK, "400,000 rows rejected"},
		{"orphans", func(n int) string { return strconv.Itoa(n+2) + ",3,name,note" }, exitOK, "400,000 rows rejected"},
		{"rejected rows", func(n int) string { return strconv.Itoa(n+2) + ",1,name" }, exitOK, "400,000 rows rejected"},
		{"filtered", func(n int) string { return strconv.Itoa(n+2) + ",1,name,drop" }, exitOK, "0 rows rejected"},
	}
	_, _, normal := memoryOf(t, "render", "--csv", fatFiles(t, 0, nil), "--shape", filepath.Join(fatFiles(t, 0, nil), "fat.yaml"))
	for _, c := range cases {
		rows := fatRows
		if strings.Contains(c.name, "nothing") {
			rows *= 4
		}
		directory := fatFiles(t, rows, c.row)
		if strings.Contains(c.name, "nothing") {
			dumptest.Write(t, directory, map[string]string{"fat.yaml": hidden})
		}
		code, text, memory := memoryOf(t, "render", "--csv", directory, "--shape", filepath.Join(directory, "fat.yaml"))
		if code != c.code || !regexp.MustCompile(c.want).MatchString(text) {
			t.Errorf("%s: exit code %d, want %d and %q: %.600s", c.name, code, c.code, c.want, text)
		}
		t.Logf("%s: %d MiB more than for a few rows", c.name, (memory-normal)>>20)
		if memory > normal+80<<20 { // the moment of garbage collections changes it by some 20 MiB
			t.Errorf("%s: %d MiB of memory, and %d MiB for a few rows", c.name, memory>>20, normal>>20)
		}
	}
}

// TestLargeItemFailsTheGate has a run and a plan end at a large item, and continue if the gate is accepted.
func TestLargeItemFailsTheGate(t *testing.T) {
	database := testdb.New(t)
	directory := fatFiles(t, 5_000, func(n int) string { return strconv.Itoa(n+2) + ",1,name,note" })
	files := []string{"--csv", directory, "--shape", filepath.Join(directory, "fat.yaml")}
	online := append(files, "--database", database.ETL)
	const where = "part.csv:"
	for name, args := range map[string][]string{
		"run": append([]string{"run", "--rejects", t.TempDir()}, online...), "plan": append([]string{"plan"}, online...),
		"render": append([]string{"render"}, files...), "explain": append([]string{"explain", "fat", "2"}, files...),
	} {
		code, stdout, stderr := etl(t.Context(), append(args, "--max-document", "50KiB")...)
		if code != 26 || !regexp.MustCompile(`part\.csv:[12][0-9]{3}: whole 1 has more than 51200 bytes at this line`).MatchString(stderr) {
			t.Errorf("%s: exit code %d: %s%s", name, code, stdout, stderr)
		}
		if name == "run" || name == "plan" {
			if want := "document-size: part.csv:"; !strings.Contains(stderr, want) || !strings.Contains(stderr, "--accept document-size") {
				t.Errorf("%s: stderr does not contain %q:\n%s", name, want, stderr)
			}
		}
	}
	code, stdout, stderr := etl(t.Context(), "history", "--database", database.ETL, "--collection", "fat", "--json")
	var runs []struct {
		State   string
		Verdict publish.Verdict
		Gates   []publish.GateResult
	}
	if err := json.Unmarshal([]byte(must(t, exitOK, code, stdout, stderr)), &runs); err != nil || len(runs) != 1 {
		t.Fatalf("%s (%v)", stdout, err)
	}
	if r := runs[0]; r.State != "failed" || r.Verdict != publish.Failed || len(r.Gates) != 1 || r.Gates[0].Gate != string(plan.DocumentSize) ||
		!strings.Contains(r.Gates[0].Message, where) {
		t.Errorf("the history has %s", stdout)
	}
	code, stdout, stderr = etl(t.Context(),
		append([]string{"run", "--rejects", t.TempDir(), "--max-document", "50KiB", "--accept", "document-size"}, online...)...)
	if must(t, exitOK, code, stdout, stderr); !strings.Contains(stdout, "whole 1 has ") {
		t.Errorf("the report does not show the accepted document: %s", stdout)
	}
}
