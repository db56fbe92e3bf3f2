package command

import (
	"strings"
	"testing"

	"systemscale/etl/internal/dump/dumptest"
)

// TestCheckRows reports the rows that a run would reject, with file, line, column, value and remedy.
func TestCheckRows(t *testing.T) {
	good := ""
	for i := 100; i < 900; i++ {
		good += string(rune('0'+i/100)) + string(rune('0'+i/10%10)) + string(rune('0'+i%10)) + ",7,5\n"
	}
	checkAll(t, []checkCase{
		{
			name:   "valid",
			files:  map[string]string{"book.csv": "isbn,title\n7,Seven\n", "review.csv": "id,isbn,stars\n1,7,5\n"},
			stdout: []string{"books.yaml fits these headers"},
		},
		{
			name: "many of a kind", code: 21,
			files: map[string]string{
				"book.csv": "isbn,title\n7,Seven\n", "review.csv": "id,isbn,stars\n1,7,five\n2,7,four\n3,7,\"two, or so\"\n4,7,one\n5,7,5\n5,7,5\n6,8,5\n7,7\n",
			},
			stdout: []string{
				"review.csv: 4 rows would be rejected, column stars: not an int\n  review.csv:2: stars \"five\"\n  review.csv:3: stars \"four\"\n" +
					"  review.csv:4: stars \"two, or so\"\n  and 1 more\n  If the file is correct, declare the column stars of source review as text, or ",
				"review.csv: 1 row would be rejected, column id: duplicate key\n  review.csv:7: id \"5\"\n  If the file is correct, declare another key; ",
				"review.csv: 1 row would be rejected, column isbn: orphan\n  review.csv:8: isbn \"8\"\n" +
					"  If the file is correct, filter these rows: filters: {no parent: {column: isbn, drop: \"8\"}}\n",
				"review.csv: 1 row would be rejected, field count\n  review.csv:9: 2 fields, and the header has 3: \"7,7\"\n" +
					"  If the file is correct, declare the delimiter in the dialect, or short_rows: \"null\" if the last fields may be missing. " +
					"A field that contains the delimiter needs quotes",
			},
			stderr: []string{"a run would fail at the gate rejects: 7 of 8 rows of review.csv would be rejected, more than 1%"},
		},
		{
			name: "orphans of several parents", code: 21,
			files:  map[string]string{"book.csv": "isbn,title\n7,Seven\n", "review.csv": "id,isbn,stars\n1,8,5\n2,9,5\n3,7,5\n"},
			stdout: []string{"a run publishes without these rows, as far as --max-rejects permits"},
		},
		{
			name: "a date in another format", code: 21,
			files: map[string]string{
				"books.yaml": strings.Replace(dumptest.Books, "stars: int", "stars: date", 1),
				"book.csv":   "isbn,title\n7,Seven\n", "review.csv": "id,isbn,stars\n1,7,31/01/2024\n",
			},
			stdout: []string{`review.csv:2: stars "31/01/2024"`, "declare the format of the column stars of source review, such as {type: date, format: "},
			stderr: []string{"1 of 1 row of review.csv"},
		},
		{
			name:   "a few rows",
			files:  map[string]string{"book.csv": "isbn,title\n7,Seven\n", "review.csv": "id,isbn,stars\n" + good + "901,7,x\n"},
			stdout: []string{"review.csv: 1 row would be rejected, column stars: not an int\n  review.csv:802: stars \"x\"\n", "fits these headers"},
		},
		{
			name: "other notations of quotes", code: 21,
			files: map[string]string{"book.csv": "isbn,title\n7,\"Seven\nand more\"\n8,5\" heel\n9,Nine\n10,\"Ten\n11,Eleven\n"},
			stdout: []string{
				"line break in quotes", "if its quoted fields may contain line ends, declare records: quoted in the dialect",
				"column title: bare quote\n", "declare quotes: false in the dialect: a quote is then a character like any other",
				"column title: unclosed quote\n", "declare close_quotes: true in the dialect, or quotes: false",
			},
		},
		{
			name: "an open quote in a file with records of several lines", code: 21,
			files: map[string]string{
				"books.yaml": "dialect: {records: quoted}\n" + dumptest.Books, "book.csv": "isbn,title\n7,\"Seven\nand more\"\n8,\"Eight\n9,Nine\n",
			},
			stdout: []string{"book.csv: 1 row would be rejected, column title: unclosed quote\n  book.csv:4: title \"Eight\"\n"},
		},
		{
			name: "no row can be used", code: exitFiles,
			files:  map[string]string{"book.csv": "isbn,title\nx,Seven\n"},
			stdout: []string{"book.csv:2: isbn \"x\""}, stderr: []string{"book.csv: no row of this file can be used"},
		},
	})
}

// TestCheckNamesTheSource has the source of a row if several sources read its file.
func TestCheckNamesTheSource(t *testing.T) {
	directory := t.TempDir()
	dumptest.Write(t, directory, map[string]string{
		"people.csv": "id,name,boss\n1,Ada,\n2,Bob,1\n3,Cyd,9\n",
		"people.yaml": `
collection: people
sources:
  person: {file: people.csv, key: id, columns: {id: int, name: text}}
  report: {file: people.csv, key: id, parent: person, on: boss, columns: {id: int, name: text, boss: {type: int?, null: ""}}}
documents:
  person: {path: "", body: {name: name, reports: {each: report, as: name}}}
`,
	})
	code, stdout, stderr := etl(t.Context(), "check", "--csv", directory, "--shape", directory+"/people.yaml")
	if code != 21 || !strings.Contains(stdout, "people.csv: 1 row would be rejected, column boss: orphan (source report)\n  people.csv:4: boss \"9\"") {
		t.Errorf("exit code %d, stdout %q, stderr %q", code, stdout, stderr)
	}
}
