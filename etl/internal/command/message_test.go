package command

import (
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"unicode"
	"unicode/utf16"

	"systemscale/etl/internal/dump/dumptest"
	"systemscale/sql/testdb"
)

// TestNoPasswordInMessages passes malformed database URLs to every command that takes one. No message may contain a part of the password.
func TestNoPasswordInMessages(t *testing.T) {
	directory := shopFiles(t, 2, nil)
	shape := filepath.Join(directory, "shop.yaml")
	commands := [][]string{
		{"migrate"},
		{"history"},
		{"rollback"},
		{"refresh", "--gateway", "http://127.0.0.1:1"},
		{"plan", "--csv", directory, "--shape", shape},
		{"run", "--csv", directory, "--shape", shape, "--rejects", t.TempDir()},
	}
	for _, url := range []string{
		"postgres://etl:se cret@127.0.0.1:1/db", "postgres://etl:se%zzcret@127.0.0.1:1/db", "postgres://etl:12/cret@127.0.0.1:1/db",
		"postgres://etl:12#cret@127.0.0.1:1/db", "postgres://etl:12?cret@127.0.0.1:1/db", "postgres://etl:12@cret/x@127.0.0.1:1/db",
		"postgres://127.0.0.1:cret/db", "postgres:/etl:secret@127.0.0.1/db", "etl:secret@127.0.0.1/db", "postgres//etl:secret@127.0.0.1/db",
		"postgres://etl%3Asecret@127.0.0.1:1/db", "postgres://127.0.0.1:1/db?pass word=x&sec/cret=1", "postgres://127.0.0.1:1/db@secret",
		"host=127.0.0.1 port=1 user=etl password=a secret", "host=127.0.0.1 port=1 user=etl password='secret", "host=127.0.0.1 port=1 passwort secret=x",
		"host=etl:secret@127.0.0.1 port=1", "postgres://etl:secret@127.0.0.1:1/db?sslmode=secret", "postgres://etl:secret@[::1/db",
		"postgres://etl:secret@127.0.0.1:1/db?sslpassword=secret&sslkey=/none&sslcert=/none", "postgres://etl:secret@127.0.0.1:1/db",
		"postgres://etl:secret@127.0.0.1:99999/db", "\x1bpostgres://etl:secret@127.0.0.1/db", "postgres://etl:sec\nret@127.0.0.1/db",
		"postgresql+psycopg2://etl:secret@127.0.0.1:1/db", "jdbc:postgresql://127.0.0.1:1/db?user=etl&password=secret",
	} {
		for _, command := range commands {
			code, stdout, stderr := etl(t.Context(), append(command, "--database", url)...)
			if code != exitUsage && code != exitDatabase && code != exitRefresh {
				t.Errorf("%s with %q: exit code %d", command[0], url, code)
			}
			for _, piece := range []string{"cret", "ret@", "secret"} {
				if strings.Contains(stdout+stderr, piece) {
					t.Errorf("%s with %q prints %s", command[0], url, stdout+stderr)
					break
				}
			}
		}
	}
	for _, args := range [][]string{
		{"run", "--csv", directory, "--database", "postgres://etl:se", "cret@127.0.0.1/db"},
		{"run", "--csv", directory, "--database", "postgres://etl:se", "cret", "@127.0.0.1/db"},
		{"run", "postgres://etl:secret@127.0.0.1/db"},
		{"postgres://etl:secret@127.0.0.1/db"},
		{"run", "--csv", directory, "--databse=postgres://etl:secret@127.0.0.1/db"},
		{"run", "--mode", "postgres://etl:secret@127.0.0.1/db"},
		{"run", "--gateway", "http://etl:secret@127.0.0.1/"},
	} {
		if code, stdout, stderr := etl(t.Context(), args...); code == exitOK || strings.Contains(stdout+stderr, "cret") {
			t.Errorf("%q: exit code %d: %s%s", args, code, stdout, stderr)
		}
	}
	t.Setenv("DATABASE_URL", "postgres://etl:secret@127.0.0.1/db")
	for _, args := range [][]string{{"--help"}, {"run", "--help"}, {"run"}, {"migrate", "--help"}} {
		if _, stdout, stderr := etl(t.Context(), args...); strings.Contains(stdout+stderr, "secret") {
			t.Errorf("%q prints the environment", args)
		}
	}
}

// TestNothingUnprintableIsPrinted has control characters in names, headers and fields of files, which every command prints escaped.
func TestNothingUnprintableIsPrinted(t *testing.T) {
	database := testdb.New(t)
	const hostile = "\x1b]0;title\x07\x1b[2J\u009b31m\u202e\u2028\u00a0\ufeff\x7f"
	printed := func(args ...string) string {
		t.Helper()
		_, stdout, stderr := etl(t.Context(), args...)
		for _, r := range stdout + stderr {
			if r != '\n' && !unicode.IsPrint(r) || r == unicode.ReplacementChar {
				t.Errorf("%v prints %q in %q", args, r, stdout+stderr)
				break
			}
		}
		return stdout + stderr
	}
	directory := shopFiles(t, 3, map[int]string{2: hostile})
	dumptest.Write(t, directory, map[string]string{hostile + ".csv": "x\n"})
	rows, err := os.ReadFile(filepath.Join(directory, "tag.csv"))
	if err != nil {
		t.Fatal(err)
	}
	dumptest.Write(t, directory, map[string]string{"tag.csv": string(rows) + "x" + hostile + ",1,y\n\xff\xfe,1,z\n"})
	of := func(command string, args ...string) []string {
		return append([]string{command, "--csv", directory, "--shape", filepath.Join(directory, "shop.yaml")}, args...)
	}
	printed(of("check")...)
	report := printed(of("run", "--database", database.ETL, "--accept", "rejects", "--rejects", t.TempDir())...)
	if !strings.Contains(report, `\x1b[2J`) {
		t.Errorf("the report does not show the rejected row escaped:\n%s", report)
	}
	dumptest.Write(t, directory, map[string]string{"item.csv": "id,name,price\n1,a" + hostile + ",1.00\n2,b,1.00\n3,c,1.00\n"})
	if report := printed(of("plan", "--database", database.ETL, "--accept", "rejects")...); !strings.Contains(report, "title") {
		t.Errorf("the report does not show the difference:\n%s", report)
	}
	printed(of("plan", "--database", database.ETL, "--accept", "rejects", "--json")...)
	printed("explain", "shop", "1", "--csv", directory, "--shape", filepath.Join(directory, "shop.yaml"))
	conn := testdb.Connect(t, database.ETL)
	if _, err := conn.Exec(t.Context(), "update catalog.run set error = $1, holder = $1, state = 'failed'", hostile); err != nil {
		t.Fatal(err)
	}
	printed("history", "--collection", "shop", "--database", database.ETL)
	printed("history", "--collection", "shop", "--database", database.ETL, "--json")
	printed("history", "--collection", hostile, "--database", database.ETL)
	printed("rollback", "--collection", hostile, "--database", database.ETL)
	printed("run", "--"+hostile)
	dumptest.Write(t, directory, map[string]string{"item.csv": "id," + hostile + "name,price\n1,a,1.00\n"})
	printed(of("check")...)
	printed(of("plan", "--database", database.ETL)...)
	dumptest.Write(t, directory, map[string]string{"shop.yaml": strings.Replace(shop, "name: text", "\"na\\e[2Jme\": text", 1)})
	printed(of("check")...)
}

// TestInvisibleCharactersAreNamed has headers whose columns look like those of the shape, and files in other formats.
func TestInvisibleCharactersAreNamed(t *testing.T) {
	database := testdb.New(t)
	utf16Text := func(text string, mark bool, big bool) string {
		var out bytes.Buffer
		units := utf16.Encode([]rune(text))
		if mark {
			units = append([]uint16{0xfeff}, units...)
		}
		for _, u := range units {
			if big {
				out.Write([]byte{byte(u >> 8), byte(u)})
			} else {
				out.Write([]byte{byte(u), byte(u >> 8)})
			}
		}
		return out.String()
	}
	const text = "id,name,price\n1,a,1.00\n"
	for name, c := range map[string]struct{ file, want string }{
		"no-break space":    {"\u00a0id,name,price\n1,a,1.00\n", "a no-break space"},
		"zero-width space":  {"id\u200b,name,price\n1,a,1.00\n", "a zero-width space"},
		"second mark":       {"\ufeff\ufeffid,name,price\n1,a,1.00\n", "a byte order mark"},
		"carriage return":   {"id\r,name,price\n1,a,1.00\n", "a carriage return"},
		"tab":               {"id\t,name,price\n1,a,1.00\n", "a tab"},
		"space":             {"id,\"name \",price\n1,a,1.00\n", "a space at its beginning or end"},
		"Latin-1":           {"id,n\xe4me,price\n1,a,1.00\n", "bytes that are not UTF-8"},
		"UTF-16, no mark":   {utf16Text(text, false, false), "declare encoding: utf-16le"},
		"UTF-16, no mark 2": {utf16Text(text, false, true), "declare encoding: utf-16be"},
		"gzip":              {string(dumptest.Gzip(t, []byte(text))), "a name that ends in .gz"},
		"zstd":              {string(dumptest.Zstd(t, []byte(text))), "a name that ends in .zst"},
		"spreadsheet":       {"PK\x03\x04\x14\x00\x06\x00\n", "a ZIP archive, or a spreadsheet"},
	} {
		t.Run(name, func(t *testing.T) {
			directory := shopFiles(t, 1, nil)
			dumptest.Write(t, directory, map[string]string{"item.csv": c.file})
			for _, args := range [][]string{{"check"}, {"plan", "--database", database.ETL}} {
				args = append(args, "--csv", directory, "--shape", filepath.Join(directory, "shop.yaml"))
				if code, stdout, stderr := etl(t.Context(), args...); code == exitOK || !strings.Contains(stderr, c.want) ||
					!strings.Contains(stderr, "item.csv") {
					t.Errorf("%s: exit code %d: %s%s", args[0], code, stdout, stderr)
				}
			}
		})
	}
}
