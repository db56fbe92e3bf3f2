package shape

import (
	"errors"
	"fmt"
	"runtime"
	"strings"
	"testing"
)

// TestParseLimits parses texts that are too deep or too large for the YAML library. Each must return an error with line and
// column, and use little memory.
func TestParseLimits(t *testing.T) {
	indented := func(levels int, line string) string {
		var text strings.Builder
		for i := range levels {
			text.WriteString(strings.Repeat(" ", i) + line)
		}
		return text.String()
	}
	numbered := func(count int, format string) string {
		var text strings.Builder
		for i := range count {
			fmt.Fprintf(&text, format, i)
		}
		return text.String()
	}
	laughs := "a0: &a0 [lol, lol]\n"
	for i := range 40 {
		laughs += fmt.Sprintf("a%d: &a%d [*a%d, *a%d, *a%d]\n", i+1, i+1, i, i, i)
	}
	for name, text := range map[string]string{
		"sequences":          strings.Repeat("[", 200_000),
		"mappings":           strings.Repeat("{a: ", 50_000),
		"closed":             "collection: " + strings.Repeat("[", 10_000) + strings.Repeat("]", 10_000),
		"entries on a line":  strings.Repeat("- ", 100_000) + "a",
		"keys on a line":     strings.Repeat("? ", 100_000) + "a",
		"anchors":            strings.Repeat("&a ", 60_000) + "x",
		"tags":               strings.Repeat("!a ", 60_000) + "x",
		"indented mappings":  indented(1_000, "a:\n"),
		"indented sequences": indented(1_000, "-\n"),
		"in the body": "collection: things\nsources: {}\ndocuments:\n  x:\n    body: " + strings.Repeat("{a: ", 500) + "1" +
			strings.Repeat("}", 500),
		"many keys":           "sources:\n" + numbered(60_000, "  k%d: v\n"),
		"many keys on a line": "sources: {" + numbered(60_000, "k%d: v, ") + "}",
		"many values":         "sources: [" + strings.Repeat("1,", 400_000) + "]",
		"a long key":          strings.Repeat("k", 100_000) + ": [" + strings.Repeat("1,", 15_000) + "]",
		"long keys, one another": strings.Repeat("k", 50_000) + ":\n " + strings.Repeat("l", 50_000) + ":\n" +
			numbered(10_000, "  m%d: v\n"),
		"too large":        strings.Repeat("# nothing\n", MaxSize/10+1),
		"a billion laughs": laughs,
		"merged":           "a: &a {x: 1}\nb:\n  <<: *a\n",
	} {
		t.Run(name, func(t *testing.T) {
			var before, after runtime.MemStats
			runtime.ReadMemStats(&before)
			_, err := Parse("s.yaml", []byte(text))
			runtime.ReadMemStats(&after)
			mistake, ok := errors.AsType[*Error](err)
			if !ok || mistake.Line < 1 || mistake.Column < 1 || len(err.Error()) > 400 {
				t.Errorf("%.500v, want an error with line and column", err)
			}
			if took := (after.TotalAlloc - before.TotalAlloc) >> 20; took > 600 {
				t.Errorf("it took %d MiB of memory", took)
			}
			t.Log(err)
		})
	}
}

// TestParseLargeShapes parses a shape with many sources, columns and documents, and one that is nested as deep as twenty sources.
func TestParseLargeShapes(t *testing.T) {
	var text strings.Builder
	text.WriteString("collection: things\nsources:\n  s0: {file: s0.csv, key: id, columns: {id: int, name: text}}\n")
	body := "name"
	const deep = 20
	for i := 1; i < 60; i++ {
		parent := fmt.Sprintf("s%d", min(i-1, deep-1))
		fmt.Fprintf(&text, "  s%d:\n    file: s%d.csv\n    key: id\n    parent: %s\n    on: parent\n"+
			"    columns:\n      id: int\n      parent: int\n", i, i, parent)
		for c := range 50 {
			fmt.Fprintf(&text, "      column_%d: text?\n", c)
		}
	}
	for i := deep - 1; i > 0; i-- {
		body = fmt.Sprintf("{each: s%d, as: {id: id, more: %s}}", i, strings.Replace(body, "name", "column_1", 1))
	}
	text.WriteString("documents:\n  deep: {path: deep, body: {id: id, more: " + body + "}}\n")
	shape, err := Parse("large.yaml", []byte(text.String()))
	if err != nil {
		t.Fatal(err)
	}
	if len(shape.Sources) != 60 || len(shape.Sources[59].Columns) != 52 {
		t.Errorf("%d sources", len(shape.Sources))
	}
}
