package workspace

import (
	"fmt"
	"os"
	"path/filepath"

	"github.com/goccy/go-json"
)

// Generated is the generator's report on a catalog.
type Generated struct {
	Files []struct {
		Name  string
		Rows  int64
		Bytes int64
		Dirt  []struct {
			Kind, Fate, Reason string
			Rows               int64
			Lines              []int64
		}
	}
}

// ReadGenerated reads the report in the directory of a catalog.
func ReadGenerated(directory string) (Generated, error) {
	path := filepath.Join(directory, "generated.json")
	text, err := os.ReadFile(path)
	if err != nil {
		return Generated{}, err
	}
	var report Generated
	if err := json.Unmarshal(text, &report); err != nil {
		return Generated{}, fmt.Errorf("read %s: %w", path, err)
	}
	return report, nil
}
