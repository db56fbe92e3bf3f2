package rung

import (
	"context"
	"fmt"
	"os"
	"path/filepath"

	"systemscale/scripts/measure"
)

// build builds a program of the project, given by its package, and returns its path. It must run in a directory of the module.
func build(ctx context.Context, data Data, source string) (string, error) {
	path := filepath.Join(data.Directory, "bin", filepath.Base(source))
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		return "", err
	}
	if _, err := measure.Run(ctx, "go", "build", "-buildvcs=false", "-o", path, source); err != nil {
		return "", fmt.Errorf("build %s: %w", source, err)
	}
	return path, nil
}
