package main

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"

	"systemscale/infra/program"
)

type pagesCommand struct{}

func (pagesCommand) Help() string {
	return "Into api/web/dist, where the API's build finds them. Pages that are up to date are not built again.\n\nExample:\n\n" +
		"  stack pages && go build ./api"
}

// Run builds the pages. Unlike up it needs Node for it.
func (pagesCommand) Run(ctx context.Context, location location, console console) error {
	return (&stack{location: location, console: console}).buildPages(ctx)
}

// offerPages builds the pages if possible. Otherwise the API serves the pages of an earlier build, or one that names the missing build.
func (s *stack) offerPages(ctx context.Context) error {
	err := s.buildPages(ctx)
	if err == nil || ctx.Err() != nil {
		return ctx.Err()
	}
	s.progressf("%v\nThe storefront and the documentation are not built. Everything else works.", err)
	return nil
}

// buildPages builds the storefront and the documentation into api/web/dist, where the API's build finds them, unless they are up to date.
func (s *stack) buildPages(ctx context.Context) error {
	directory := filepath.Join(s.Root, "api", "web")
	sources, err := fingerprintSources(directory, filepath.Join(s.Root, "api", "openapi", "openapi.yaml"))
	if err != nil {
		return fmt.Errorf("examine the sources of the pages: %w", err)
	}
	// Outside dist/site, which Vite empties.
	stamp := filepath.Join(directory, "dist", "sources.sha256")
	_, err = os.Stat(filepath.Join(directory, "dist", "site", "index.html"))
	if built, readErr := os.ReadFile(stamp); err == nil && readErr == nil && string(built) == sources {
		return nil
	}
	node, err := program.FindNode()
	if err != nil {
		return err
	}
	s.progressf("building the storefront and the documentation")
	build := s.runNPM
	if resolved, err := filepath.EvalSymlinks(directory); err != nil || !plainPath.MatchString(resolved) { // Node uses the resolved path
		build = s.buildElsewhere
	}
	if err := build(ctx, node, directory); err != nil {
		return err
	}
	if err := os.WriteFile(stamp, []byte(sources), 0o644); err != nil {
		return fmt.Errorf("record the sources of the pages: %w", err)
	}
	return nil
}

func (s *stack) runNPM(ctx context.Context, node program.Node, directory string) error {
	for _, arguments := range [][]string{{"ci"}, {"run", "build"}} {
		command := exec.CommandContext(ctx, node.NPM, arguments...)
		command.Dir = directory
		var out strings.Builder
		command.Stdout, command.Stderr = &out, &out
		if err := runGently(command); err != nil {
			return fmt.Errorf("npm %s in api/web: %w\n%s", strings.Join(arguments, " "), err, out.String())
		}
	}
	return nil
}

// buildElsewhere builds the pages in a temporary directory: npm's scripts and Vite fail in some directories, such as one with a #.
func (s *stack) buildElsewhere(ctx context.Context, node program.Node, directory string) (err error) {
	work, err := os.MkdirTemp("", "systemscale-pages-")
	if err != nil {
		return fmt.Errorf("build the pages in a temporary directory: %w", err)
	}
	defer func() { err = errors.Join(err, os.RemoveAll(work)) }()
	description := filepath.Join("api", "openapi")
	if err := os.CopyFS(filepath.Join(work, description), os.DirFS(filepath.Join(s.Root, description))); err != nil {
		return fmt.Errorf("build the pages in a temporary directory: %w", err)
	}
	copied := filepath.Join(work, "api", "web")
	if err := os.CopyFS(copied, withoutBuilds{os.DirFS(directory)}); err != nil {
		return fmt.Errorf("build the pages in a temporary directory: %w", err)
	}
	if err := s.runNPM(ctx, node, copied); err != nil {
		return err
	}
	site := filepath.Join("dist", "site")
	if err := os.RemoveAll(filepath.Join(directory, site)); err != nil {
		return fmt.Errorf("install the pages: %w", err)
	}
	if err := os.CopyFS(filepath.Join(directory, site), os.DirFS(filepath.Join(copied, site))); err != nil {
		return fmt.Errorf("install the pages: %w", err)
	}
	return nil
}

// withoutBuilds is a directory without the directories that npm and Vite create.
type withoutBuilds struct{ fs.FS }

// ReadDir returns the other entries of a directory.
func (f withoutBuilds) ReadDir(name string) ([]fs.DirEntry, error) {
	entries, err := fs.ReadDir(f.FS, name)
	return slices.DeleteFunc(entries, isBuild), err
}

// isBuild reports whether an entry is a directory that npm or Vite creates.
func isBuild(entry fs.DirEntry) bool {
	return entry.IsDir() && (entry.Name() == "node_modules" || entry.Name() == "dist")
}

// fingerprintSources returns a SHA-256 of the directory's files, except those of builds, and of other files.
func fingerprintSources(directory string, others ...string) (string, error) {
	paths := others
	err := filepath.WalkDir(directory, func(path string, entry fs.DirEntry, err error) error {
		switch {
		case err != nil:
			return err
		case isBuild(entry):
			return fs.SkipDir
		case entry.Name() == "schema.d.ts" || strings.HasSuffix(path, ".go"): // generated by the build; part of the API's code
			return nil
		case entry.Type().IsRegular():
			paths = append(paths, path)
		}
		return nil
	})
	if err != nil {
		return "", err
	}
	sum := sha256.New()
	for _, path := range paths {
		text, err := os.ReadFile(path)
		if errors.Is(err, fs.ErrNotExist) { // an editor's temporary file
			continue
		}
		if err != nil {
			return "", err
		}
		name, err := filepath.Rel(directory, path) // the same in every clone
		if err != nil {
			return "", err
		}
		fmt.Fprintf(sum, "%q %q\n", name, text)
	}
	return hex.EncodeToString(sum.Sum(nil)), nil
}
