package plan

import (
	"slices"

	"github.com/goccy/go-json"

	"systemscale/etl/internal/shape"
	"systemscale/sql"
)

// BreakingChanges returns a line for each change of the published documents that would break a client if the shape replaced them.
func BreakingChanges(published []sql.Endpoint, spec *shape.Shape) []string {
	found := []string{}
	for _, old := range published {
		where := "GET " + Address(spec, shape.Endpoint{Name: old.Name, Path: old.Path, List: old.List})
		i := slices.IndexFunc(spec.Endpoints, func(d shape.Endpoint) bool { return d.List == old.List && d.Path == old.Path })
		if i < 0 {
			found = append(found, where+": is gone")
			continue
		}
		var schema shape.Schema
		if err := json.Unmarshal([]byte(old.Schema), &schema); err != nil {
			continue // published before schemas were recorded, or by a later program
		}
		for _, line := range schema.BreakingChanges(spec.Schema(&spec.Endpoints[i])) {
			found = append(found, where+": "+line)
		}
	}
	return found
}
