package systemtest

import (
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"testing"

	"github.com/goccy/go-json"

	"systemscale/etl/shapes/shapestest"
)

// testCases publishes each of the ETL's golden cases, and the shapes with sample data, and compares the documents and the lists with the responses.
func testCases(t *testing.T, s *stack) {
	for _, directory := range shapestest.Cases(t, "../../etl") {
		t.Run(filepath.Base(directory), func(t *testing.T) {
			text, err := os.ReadFile(filepath.Join(directory, "want.json"))
			if err != nil {
				t.Fatal(err)
			}
			var want struct {
				Documents, Lists map[string]json.RawMessage
				Error            []string
			}
			if err := json.Unmarshal(text, &want); err != nil {
				t.Fatal(err)
			}
			arguments := []string{
				"run", "--csv", directory, "--shape", filepath.Join(directory, "shape.yaml"), "--accept", "removed,changed,rejects,fewer-rows",
			}
			if len(want.Error) > 0 {
				if out, err := s.etlCommand(arguments...).CombinedOutput(); err == nil {
					t.Errorf("etl run accepts the dump:\n%s", out)
				}
				return
			}
			s.etl(arguments...)
			for _, responses := range []map[string]json.RawMessage{want.Documents, want.Lists} {
				for path, body := range responses {
					// Each instance learns of the collection at another time.
					eventually(t, fmt.Sprintf("GET %s: %s", path, body), func() bool {
						got := s.get(path)
						return got.status == http.StatusOK && sameJSON(t, got.body, string(body))
					})
				}
			}
		})
	}
}
