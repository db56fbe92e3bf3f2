package main

import (
	"path/filepath"
	"testing"

	"systemscale/scripts/measure"
)

// build builds the ETL and the generator and returns their directory.
func build(t *testing.T) string {
	t.Helper()
	directory := t.TempDir()
	measured(t, "go", "build", "-o", directory+"/", "systemscale/etl", "systemscale/scripts/generate")
	return directory
}

// generatedCSV generates a catalog of 300 products and returns its directory.
func generatedCSV(t *testing.T, programs string, flags ...string) string {
	t.Helper()
	directory := filepath.Join(t.TempDir(), "csv")
	measured(t, filepath.Join(programs, "generate"), append(flags, "--products", "300", "--out", directory)...)
	return directory
}

// measured runs a program that must succeed.
func measured(t *testing.T, program string, args ...string) {
	t.Helper()
	if _, err := measure.Run(t.Context(), program, args...); err != nil {
		t.Fatal(err)
	}
}
