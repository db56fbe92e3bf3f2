package workspace

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"

	"systemscale/scripts/measure"
)

// Spoiled are the generator's flags for a catalog with rows of every kind that the ETL repairs, filters or rejects.
var Spoiled = []string{"--dirt", "--malformed"}

// Prepare builds the programs, generates the catalog, and creates and migrates the database.
func (w *Workspace) Prepare(ctx context.Context) error {
	work, err := filepath.Abs(w.Work)
	if err != nil {
		return err
	}
	w.Work = work
	bin := filepath.Join(w.Work, "bin")
	if err := os.MkdirAll(bin, 0o755); err != nil {
		return err
	}
	// Without the commit in the binary, the generator is the same file as before unless its code changed.
	if _, err := measure.Run(ctx, "go", "build", "-buildvcs=false", "-o", bin+"/", "./etl", "./api", "./scripts/generate"); err != nil {
		return err
	}
	if _, err := w.Generate(ctx, "", Spoiled...); err != nil {
		return err
	}
	return w.CreateMigrated(ctx)
}

// Generate generates a variant of the catalog and returns its directory. The variant "" is in CSV. It reuses a directory that the same
// generator wrote with the same flags.
func (w *Workspace) Generate(ctx context.Context, variant string, flags ...string) (string, error) {
	directory := w.CSV()
	if variant != "" {
		directory += "-" + variant
	}
	arguments := append([]string{"--products", strconv.Itoa(w.Products), "--seed", "1", "--out", directory}, flags...)
	program, err := os.ReadFile(w.Program("generate"))
	if err != nil {
		return "", err
	}
	// The generator replaces the files only when all are complete. The note is written after that.
	note, want := directory+".made-by", fmt.Sprintf("%x %q\n", sha256.Sum256(program), arguments)
	if got, err := os.ReadFile(note); err == nil && string(got) == want && complete(directory) {
		return directory, nil
	}
	if err := os.Remove(note); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return "", err
	}
	fmt.Fprintln(os.Stderr, "generate the catalog")
	if _, err := measure.Run(ctx, w.Program("generate"), arguments...); err != nil {
		return "", err
	}
	return directory, os.WriteFile(note, []byte(want), 0o644)
}

// complete reports whether the files of a catalog have the sizes that its report lists.
func complete(directory string) bool {
	report, err := ReadGenerated(directory)
	if err != nil || len(report.Files) == 0 {
		return false
	}
	for _, file := range report.Files {
		info, err := os.Stat(filepath.Join(directory, file.Name))
		if err != nil || info.Size() != file.Bytes {
			return false
		}
	}
	return true
}
