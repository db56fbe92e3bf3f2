package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// chain is a package of six files; a.go uses b.go and c.go.
var chain = map[string]string{
	"a.go": "package p\nfunc a() { b(); c() }",
	"b.go": "package p\nfunc b() {}",
	"c.go": "package p\nfunc c() {}",
	"d.go": "package p\ntype d struct{ field int }",
	"e.go": "package p\nvar e int",
	"f.go": "package p",
}

func TestCheck(t *testing.T) {
	for _, test := range []struct {
		name   string
		change map[string]string // files that differ from chain; an empty one is absent
		want   string
		ok     bool
	}{
		{name: "no cycle", ok: true},
		{
			name:   "two files",
			change: map[string]string{"b.go": "package p\nfunc b() { a() }"},
			want:   "example/p: cycle of a.go, b.go:\n\ta.go uses from b.go: b\n\tb.go uses from a.go: a\n",
		},
		{
			name:   "through a third file",
			change: map[string]string{"b.go": "package p\nfunc b() { c() }", "c.go": "package p\nfunc c() { _ = a }"},
			want: "example/p: cycle of a.go, b.go, c.go:\n\ta.go uses from b.go: b\n\ta.go uses from c.go: c\n" +
				"\tb.go uses from c.go: c\n\tc.go uses from a.go: a\n",
		},
		{
			name: "two cycles",
			change: map[string]string{
				"b.go": "package p\nfunc b() { a() }", "e.go": "package p\nvar e *f", "f.go": "package p\ntype f int\nfunc use() { _ = e }",
			},
			want: "example/p: cycle of a.go, b.go:\n\ta.go uses from b.go: b\n\tb.go uses from a.go: a\n" +
				"example/p: cycle of e.go, f.go:\n\te.go uses from f.go: f\n\tf.go uses from e.go: e\n",
		},
		{
			name: "a method and a field",
			change: map[string]string{
				"e.go": "package p\nfunc (v *d) set() { v.field = 1 }", "d.go": "package p\ntype d struct{ field int }\nfunc use(v *d) { v.set() }",
			},
			want: "example/p: cycle of d.go, e.go:\n\td.go uses from e.go: set\n\te.go uses from d.go: d, field\n",
		},
		{
			name:   "five files",
			change: map[string]string{"b.go": "package p\nfunc b() { a() }", "f.go": ""},
			ok:     true,
		},
		{
			name:   "a test file",
			change: map[string]string{"b.go": "package p\nfunc b() { _ = e }", "e.go": "package p\nvar e int", "e_test.go": "package p\nvar _ = b"},
			ok:     true,
		},
	} {
		t.Run(test.name, func(t *testing.T) {
			dir := t.TempDir()
			write(t, dir, map[string]string{"go.mod": "module example\n"})
			write(t, filepath.Join(dir, "p"), chain)
			write(t, filepath.Join(dir, "p"), test.change)
			packages, err := load(t.Context(), dir, []string{"./..."})
			if err != nil {
				t.Fatal(err)
			}
			var out strings.Builder
			if ok := check(packages, &out); ok != test.ok {
				t.Errorf("check = %v, want %v", ok, test.ok)
			}
			if diff := cmp.Diff(test.want, out.String()); diff != "" {
				t.Errorf("output (-want +got):\n%s", diff)
			}
		})
	}
}

func TestLoadBroken(t *testing.T) {
	dir := t.TempDir()
	write(t, dir, map[string]string{"go.mod": "module example\n", "a.go": "package p\nvar a = undefined"})
	packages, err := load(t.Context(), dir, []string{"./..."})
	if err == nil || !strings.Contains(err.Error(), "undefined") {
		t.Errorf("load = %v, %v, want the compiler's error", packages, err)
	}
}

// write writes files, and removes those without text.
func write(t *testing.T, dir string, contents map[string]string) {
	t.Helper()
	if err := os.MkdirAll(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	for name, text := range contents {
		path := filepath.Join(dir, name)
		if text == "" {
			if err := os.Remove(path); err != nil {
				t.Fatal(err)
			}
		} else if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
}
