package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
)

var collectionInShape = regexp.MustCompile(`(?m)^collection:\s*["']?([a-z][a-z0-9_]*)["']?\s*(?:#.*)?$`)

// readCollection returns the collection of a shape file and a directory, both absolute. The ETL checks all the rest.
func readCollection(shape, directory string) (collection, error) {
	if directory == "" {
		return collection{}, errors.New("SHAPE needs CSV=DIR: the directory with the CSV files that the shape file names")
	}
	text, err := os.ReadFile(shape)
	if err != nil {
		return collection{}, fmt.Errorf("SHAPE: %w", err)
	}
	name := collectionInShape.FindSubmatch(text)
	if name == nil {
		return collection{}, fmt.Errorf("SHAPE: %s has no line with its collection, such as collection: books", shape)
	}
	if info, err := os.Stat(directory); err != nil || !info.IsDir() {
		return collection{}, fmt.Errorf("CSV: there is no directory %s: give the directory of your CSV files, absolute or relative to the working "+
			"directory", directory)
	}
	loaded := collection{Name: string(name[1]), Directory: directory}
	loaded.Shape, err = filepath.Abs(shape)
	return loaded, err
}

// loadCollection runs the ETL with a shape file. The other collections stay as they are.
func (s *stack) loadCollection(ctx context.Context, databaseURL string, wanted collection, accepted []string) error {
	s.progressf("loading the collection %s from %s", wanted.Name, wanted.Directory)
	arguments := []string{"run", "--csv", wanted.Directory, "--shape", wanted.Shape, "--rejects", filepath.Join(s.State, "rejects")}
	for _, gate := range accepted {
		arguments = append(arguments, "--accept", gate)
	}
	err := s.tool(ctx, databaseURL, s.out, "etl", arguments...)
	var exit *exec.ExitError
	if errors.As(err, &exit) && exit.ExitCode() >= firstGateCode && publishedNothing(exit.ExitCode()) {
		return fmt.Errorf("%w\na gate (see above) failed for the files in %s. If the files are correct, accept the gate: ./scripts/task up "+
			"SHAPE=%s CSV=%s ACCEPT=GATE", err, wanted.Directory, shellWord(wanted.Shape), shellWord(wanted.Directory))
	}
	if err != nil {
		return err
	}
	s.Collections = slices.DeleteFunc(s.Collections, func(c collection) bool { return c.Name == wanted.Name })
	s.Collections = append(s.Collections, wanted)
	return s.save()
}

// describeCollections returns a line for each collection that has a shape file.
func (s *state) describeCollections() string {
	var lines strings.Builder
	for _, c := range s.Collections {
		fmt.Fprintf(&lines, "The collection %s from %s is served at http://%s/%s?page=1&count=5\n", c.Name, c.Directory, address(s.Gateway.Port), c.Name)
	}
	return lines.String()
}
