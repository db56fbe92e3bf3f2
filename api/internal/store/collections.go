package store

import (
	"maps"
	"slices"
	"strings"
)

// Collections returns what is published, by name.
func (s *Snapshot) Collections() []*Collection {
	if s == nil {
		return nil
	}
	return slices.SortedFunc(maps.Values(s.collections), func(a, b *Collection) int {
		return strings.Compare(a.Collection, b.Collection)
	})
}
