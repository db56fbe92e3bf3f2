package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// pagesRig is a project with an npm that only records its arguments.
type pagesRig struct {
	t      *testing.T
	stack  *stack
	output strings.Builder
	calls  string // file
}

func newPagesRig(t *testing.T, root string) *pagesRig {
	t.Helper()
	rig := &pagesRig{t: t}
	programs := t.TempDir()
	rig.calls = filepath.Join(programs, "calls")
	rig.stack = &stack{location: location{Root: root}, console: console{err: &rig.output}}
	for path, text := range map[string]string{"api/web/src/app.tsx": "1", "api/web/dist/.gitkeep": "", "api/openapi/openapi.yaml": "2"} {
		rig.write(path, text)
	}
	t.Setenv("PATH", programs+":/bin:/usr/bin")
	for name, script := range map[string]string{
		"node": "echo v22.0.0",
		"npm":  `echo "$@" >> ` + rig.calls + ` && mkdir -p dist/site && : > dist/site/index.html`,
	} {
		if err := os.WriteFile(filepath.Join(programs, name), []byte("#!/bin/sh\n"+script+"\n"), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	return rig
}

func (r *pagesRig) write(path, text string) {
	r.t.Helper()
	path = filepath.Join(r.stack.Root, path)
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		r.t.Fatal(err)
	}
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		r.t.Fatal(err)
	}
}

// offers calls offerPages, which must run npm with the arguments want.
func (r *pagesRig) offers(want string) {
	r.t.Helper()
	if err := r.stack.offerPages(r.t.Context()); err != nil {
		r.t.Fatal(err)
	}
	calls, _ := os.ReadFile(r.calls)
	_ = os.Remove(r.calls)
	if string(calls) != want {
		r.t.Errorf("npm was called %q, want %q", calls, want)
	}
}

func TestChangedSourcesAreBuilt(t *testing.T) {
	rig := newPagesRig(t, t.TempDir())
	const built = "ci\nrun build\n"
	rig.offers(built)
	rig.offers("")
	rig.write("api/web/src/app.tsx", "3")
	rig.offers(built)
	rig.write("api/openapi/openapi.yaml", "4")
	rig.offers(built)
	rig.write("api/web/node_modules/react/index.js", "5")
	rig.write("api/web/src/api/schema.d.ts", "made by the build")
	rig.write("api/web/web.go", "package web")
	rig.offers("")
	if err := os.RemoveAll(filepath.Join(rig.stack.Root, "api/web/dist/site")); err != nil {
		t.Fatal(err)
	}
	rig.offers(built)
}

// TestPagesInOddDirectory uses a directory in which Vite fails, so that the pages are built in another one.
func TestPagesInOddDirectory(t *testing.T) {
	rig := newPagesRig(t, filepath.Join(t.TempDir(), "a #1 \"b\" 'c' $d;{é"))
	rig.write("api/web/node_modules/react/index.js", "5")
	// node_modules must not be copied, other files must be.
	if err := os.WriteFile(filepath.Join(filepath.Dir(rig.calls), "npm"), []byte(`#!/bin/sh
case $PWD in *'#'*) echo "called in $PWD"; exit 1;; esac
test ! -e node_modules && cat src/app.tsx ../openapi/openapi.yaml && echo "$@" >> `+rig.calls+`
mkdir -p dist/site && pwd > dist/site/index.html
`), 0o755); err != nil {
		t.Fatal(err)
	}
	rig.offers("ci\nrun build\n")
	page, err := os.ReadFile(filepath.Join(rig.stack.Root, "api/web/dist/site/index.html"))
	if err != nil {
		t.Fatalf("%v: %s", err, rig.output.String())
	}
	if _, err := os.Stat(strings.TrimSpace(string(page))); err == nil {
		t.Errorf("%s was not removed", page)
	}
	rig.offers("")
}

func TestFailedBuild(t *testing.T) {
	rig := newPagesRig(t, t.TempDir())
	programs := filepath.Dir(rig.calls)
	for name, test := range map[string]struct{ program, script, want string }{
		"old Node":  {"node", "echo v12.0.0", "Node.js 20.19.0 or newer is missing: there is only 12.0.0"},
		"npm fails": {"npm", "echo no registry; exit 1", "no registry"},
	} {
		t.Run(name, func(t *testing.T) {
			before, err := os.ReadFile(filepath.Join(programs, test.program))
			if err != nil {
				t.Fatal(err)
			}
			defer func() { _ = os.WriteFile(filepath.Join(programs, test.program), before, 0o755) }()
			if err := os.WriteFile(filepath.Join(programs, test.program), []byte("#!/bin/sh\n"+test.script+"\n"), 0o755); err != nil {
				t.Fatal(err)
			}
			rig.output.Reset()
			rig.offers("")
			if output := rig.output.String(); !strings.Contains(output, test.want) || !strings.Contains(output, "Everything else works") {
				t.Errorf("output %q, want %q", output, test.want)
			}
			if err := rig.stack.buildPages(t.Context()); err == nil || !strings.Contains(err.Error(), test.want) {
				t.Errorf("buildPages() = %v, want %q", err, test.want)
			}
		})
	}
}
