// Package shapestest finds the dumps with a shape file and the documents that they must become.
package shapestest

import (
	"errors"
	"path/filepath"
	"testing"
)

// Cases returns the absolute paths of the golden cases of the ETL and of the shapes with sample data. Each has a shape.yaml, its files and
// a want.json. root is the path of the directory etl.
func Cases(t testing.TB, root string) []string {
	t.Helper()
	root, err := filepath.Abs(root)
	directories, casesErr := filepath.Glob(filepath.Join(root, "internal", "dump", "testdata", "cases", "*"))
	shapes, shapesErr := filepath.Glob(filepath.Join(root, "shapes", "*", "want.json"))
	if err := errors.Join(err, casesErr, shapesErr); err != nil || len(directories) == 0 || len(shapes) == 0 {
		t.Fatalf("no cases below %s (%v)", root, err)
	}
	for _, wanted := range shapes {
		directories = append(directories, filepath.Dir(wanted))
	}
	return directories
}
