package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"go/ast"
	"go/importer"
	"go/parser"
	"go/token"
	"go/types"
	"io"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
)

// files are the files of a package and their references to each other.
type files struct {
	path string
	uses map[string]map[string]map[string]bool // file that uses, file that declares, identifiers
}

// load returns the packages that match the patterns and have more than small files. Relative patterns start at dir.
func load(ctx context.Context, dir string, patterns []string) ([]*files, error) {
	arguments := append([]string{"list", "-export", "-deps", "-json=ImportPath,Dir,Export,GoFiles,DepOnly", "--"}, patterns...)
	command := exec.CommandContext(ctx, "go", arguments...)
	command.Dir = dir
	var stderr bytes.Buffer
	command.Stderr = &stderr
	list, err := command.Output()
	if err != nil {
		return nil, fmt.Errorf("go list: %w\n%s", err, stderr.Bytes())
	}
	type listed struct {
		ImportPath, Dir, Export string
		GoFiles                 []string
		DepOnly                 bool
	}
	var large []listed
	exports := map[string]string{} // file with a package's export data, by import path
	for decoder := json.NewDecoder(bytes.NewReader(list)); ; {
		var p listed
		if err := decoder.Decode(&p); errors.Is(err, io.EOF) {
			break
		} else if err != nil {
			return nil, fmt.Errorf("read the output of go list: %w", err)
		}
		exports[p.ImportPath] = p.Export
		if !p.DepOnly && len(p.GoFiles) > small {
			large = append(large, p)
		}
	}
	open := func(path string) (io.ReadCloser, error) { return os.Open(exports[path]) }
	var packages []*files
	for _, p := range large {
		uses, err := references(p.ImportPath, p.Dir, p.GoFiles, open)
		if err != nil {
			return nil, err
		}
		packages = append(packages, &files{path: p.ImportPath, uses: uses})
	}
	return packages, nil
}

// references type-checks the files of a package and returns which file uses which identifiers of which other file.
func references(path, dir string, names []string, open importer.Lookup) (map[string]map[string]map[string]bool, error) {
	set := token.NewFileSet()
	var syntax []*ast.File
	for _, name := range names {
		file, err := parser.ParseFile(set, filepath.Join(dir, name), nil, parser.SkipObjectResolution)
		if err != nil {
			return nil, err
		}
		syntax = append(syntax, file)
	}
	info := &types.Info{Uses: map[*ast.Ident]types.Object{}}
	config := types.Config{Importer: importer.ForCompiler(set, "gc", open)}
	checked, err := config.Check(path, set, syntax, info)
	if err != nil {
		return nil, err
	}
	uses := map[string]map[string]map[string]bool{}
	for identifier, object := range info.Uses {
		if object.Pkg() != checked {
			continue
		}
		from, to := filepath.Base(set.Position(identifier.Pos()).Filename), filepath.Base(set.Position(object.Pos()).Filename)
		if from == to {
			continue
		}
		if uses[from] == nil {
			uses[from] = map[string]map[string]bool{}
		}
		if uses[from][to] == nil {
			uses[from][to] = map[string]bool{}
		}
		uses[from][to][object.Name()] = true
	}
	return uses, nil
}

// cycles returns the groups of files that all depend on each other, sorted.
func (f *files) cycles() [][]string {
	reached := map[string]map[string]bool{}
	for from := range f.uses {
		reached[from] = map[string]bool{}
		f.reach(from, reached[from])
	}
	var cycles [][]string
	grouped := map[string]bool{}
	for _, from := range slices.Sorted(maps.Keys(f.uses)) {
		if !reached[from][from] || grouped[from] {
			continue
		}
		var cycle []string
		for _, to := range slices.Sorted(maps.Keys(reached[from])) {
			if reached[to][from] {
				cycle = append(cycle, to)
				grouped[to] = true
			}
		}
		cycles = append(cycles, cycle)
	}
	return cycles
}

// reach adds to reached the files on which from depends.
func (f *files) reach(from string, reached map[string]bool) {
	for to := range f.uses[from] {
		if !reached[to] {
			reached[to] = true
			f.reach(to, reached)
		}
	}
}

// names returns the identifiers of the file to that the file from uses.
func (f *files) names(from, to string) []string {
	return slices.Sorted(maps.Keys(f.uses[from][to]))
}
