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
	"strings"

	"systemscale/scripts/internal/program"
)

type pagesCommand struct{}

func (pagesCommand) Help() string {
	return "Into api/web/dist, where the API's build finds them. Nothing is done if they are there already.\n\nExample:\n\n  stack pages && go build ./api"
}

// Run builds the pages. Unlike up it needs Node for it.
func (pagesCommand) Run(ctx context.Context, location location, console console) error {
	return (&stack{location: location, console: console}).buildPages(ctx)
}

// offerPages builds the pages if that can be done. Otherwise the API has those that were built before, or says in them what is missing.
func (stack *stack) offerPages(ctx context.Context) error {
	err := stack.buildPages(ctx)
	if err == nil || ctx.Err() != nil {
		return ctx.Err()
	}
	stack.say("%v\nThe storefront and the documentation are not built; everything else works.", err)
	return nil
}

// buildPages builds the storefront and the documentation into api/web/dist, where the API's build finds them, unless they are there
// as their sources are now.
func (stack *stack) buildPages(ctx context.Context) error {
	directory := filepath.Join(stack.Root, "api", "web")
	sources, err := fingerprintSources(directory, filepath.Join(stack.Root, "api", "openapi", "openapi.yaml"))
	if err != nil {
		return fmt.Errorf("look at the pages' sources: %w", err)
	}
	// Beside what Vite empties.
	stamp := filepath.Join(directory, "dist", "sources.sha256")
	_, err = os.Stat(filepath.Join(directory, "dist", "site", "index.html"))
	if built, readErr := os.ReadFile(stamp); err == nil && readErr == nil && string(built) == sources {
		return nil
	}
	node, err := program.FindNode()
	if err != nil {
		return err
	}
	stack.say("building the storefront and the documentation")
	for _, arguments := range [][]string{{"ci"}, {"run", "build"}} {
		command := exec.CommandContext(ctx, node.NPM, arguments...)
		command.Dir = directory
		var out strings.Builder
		command.Stdout, command.Stderr = &out, &out
		if err := runGently(command); err != nil {
			return fmt.Errorf("npm %s in api/web: %w\n%s", strings.Join(arguments, " "), err, out.String())
		}
	}
	if err := os.WriteFile(stamp, []byte(sources), 0o644); err != nil {
		return fmt.Errorf("note what the pages were built from: %w", err)
	}
	return nil
}

// fingerprintSources returns a SHA-256 of a directory's files, without what npm and Vite put there, and of other files.
func fingerprintSources(directory string, others ...string) (string, error) {
	paths := others
	err := filepath.WalkDir(directory, func(path string, entry fs.DirEntry, err error) error {
		switch {
		case err != nil:
			return err
		case entry.IsDir() && (entry.Name() == "node_modules" || entry.Name() == "dist"):
			return fs.SkipDir
		case entry.Name() == "schema.d.ts" || strings.HasSuffix(path, ".go"): // made by the build; the API's own
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
		if errors.Is(err, fs.ErrNotExist) { // an editor's, gone meanwhile
			continue
		}
		if err != nil {
			return "", err
		}
		_, _ = fmt.Fprintf(sum, "%q %q\n", path, text)
	}
	return hex.EncodeToString(sum.Sum(nil)), nil
}
