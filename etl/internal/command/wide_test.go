package command

import (
	"path/filepath"
	"strings"
	"testing"

	"systemscale/etl/internal/dump/dumptest"
	"systemscale/sql/testdb"
)

const wideShape = `
collection: wide
sources:
  item: {file: item.csv, key: id, columns: {id: int, other: int?, name: text}}
  part: {file: part.csv, key: id, parent: item, on: item, columns: {id: int, item: int, size: int}}
documents:
  brief: {list: true, body: {id: ID, name: name}}
  item:
    path: ""
    body: {id: ID, deep: {other: other}, parts: {each: part, as: {size: size}}, keyed: {each: part, keyed: id, as: size}, list: {each: part, as: item}}
`

// TestIntsThatBrowsersRound expects a warning for each field of a document that is a number beyond 2^53 - 1, in check, plan and run.
func TestIntsThatBrowsersRound(t *testing.T) {
	database := testdb.New(t)
	for _, c := range []struct {
		name, shape, item, part string
		want                    []string
	}{
		{name: "none", shape: "id", item: "9007199254740991,-9007199254740991,a\n", part: "9007199254740992,9007199254740991,5\n"},
		{name: "ids", shape: "id", item: "1,2,a\n9007199254740992,3,b\n9007199254740993,4,c\n", part: "1,1,5\n2,9007199254740993,6\n", want: []string{
			"document=brief field=id where=item.csv:3 value=9007199254740992 rows=2 remedy=\"{text: id}\"",
			"document=item field=id where=item.csv:3 value=9007199254740992 rows=2 remedy=\"{text: id}\"",
			"document=item field=list[] where=part.csv:3 value=9007199254740993 rows=1 remedy=\"{text: item}\"",
		}},
		{name: "ids as text", shape: "{text: id}", item: "9007199254740993,4,c\n", part: "9007199254740993,9007199254740993,6\n", want: []string{
			"document=item field=list[] where=part.csv:2 value=9007199254740993 rows=1 remedy=\"{text: item}\"",
		}},
		{name: "others", shape: "id", item: "1,-9007199254740992,\"a \"\"quote\"\"\"\n2,9223372036854775807,b\n3,null,c\n", part: "7,1,-9223372036854775808\n", want: []string{
			"document=item field=deep.other where=item.csv:2 value=-9007199254740992 rows=2 remedy=\"{text: other}\"",
			"document=item field=parts[].size where=part.csv:2 value=-9223372036854775808 rows=1 remedy=\"{text: size}\"",
			"document=item field=keyed.* where=part.csv:2 value=-9223372036854775808 rows=1 remedy=\"{text: size}\"",
		}},
	} {
		t.Run(c.name, func(t *testing.T) {
			directory := t.TempDir()
			dumptest.Write(t, directory, map[string]string{
				"wide.yaml": "dialect: {null: \"null\"}\n" + strings.ReplaceAll(wideShape, "ID", c.shape),
				"item.csv":  "id,other,name\n" + c.item, "part.csv": "id,item,size\n" + c.part,
			})
			for _, command := range []string{"check", "plan", "run"} {
				args := []string{command, "--csv", directory, "--shape", filepath.Join(directory, "wide.yaml")}
				if command != "check" {
					args = append(args, "--database", database.ETL, "--accept", "removed", "--accept", "changed", "--accept", "fewer-rows")
				}
				if command == "run" {
					args = append(args, "--rejects", t.TempDir())
				}
				code, stdout, stderr := etl(t.Context(), args...)
				if code != exitOK && code != exitChanges {
					t.Fatalf("%s: exit code %d: %s%s", command, code, stdout, stderr)
				}
				if got := strings.Count(stderr, "beyond 2^53 - 1"); got != len(c.want) {
					t.Errorf("%s: %d warnings, want %d:\n%s", command, got, len(c.want), stderr)
				}
				for _, line := range c.want {
					if !strings.Contains(stderr, line) {
						t.Errorf("%s: stderr does not contain %s:\n%s", command, line, stderr)
					}
				}
			}
		})
	}
}

// TestRejectedIntsAreNotCounted rejects every row that has an int beyond 2^53 - 1.
func TestRejectedIntsAreNotCounted(t *testing.T) {
	directory := t.TempDir()
	dumptest.Write(t, directory, map[string]string{
		"wide.yaml": strings.ReplaceAll(wideShape, "ID", "id"), "item.csv": "id,other,name\n1,2,a\n",
		"part.csv": "id,item,size\n1,1,5\n2,9007199254740993,6\n3,9007199254740993,9007199254740993\n",
	})
	database := testdb.New(t)
	code, _, stderr := etl(t.Context(), "plan", "--csv", directory, "--shape", filepath.Join(directory, "wide.yaml"),
		"--database", database.ETL, "--accept", "rejects")
	if code != exitChanges || strings.Contains(stderr, "beyond") {
		t.Errorf("exit code %d: %s", code, stderr)
	}
}
