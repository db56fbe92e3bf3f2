package report

import (
	"maps"
	"slices"
)

// endpoints are the endpoints of the catalog, in the order of a page view.
var endpoints = []string{"list", "product", "styles", "related"}

// Picture is a chart of the report.
type Picture struct {
	Name  string // of the files, without the theme
	HTML  string // shows it in a page
	First bool   // it belongs above the tables
}

// roles returns the roles of all rungs, in the order in which a request reaches them.
func (r *Report) roles() []string {
	found := map[string]bool{}
	for i := range r.Rungs {
		for _, w := range r.Rungs[i].Windows {
			for role := range w.CPU {
				found[role] = true
			}
		}
	}
	order := []string{"nginx", "express", "plain", "api", "redis", "postgres"}
	roles := slices.Sorted(maps.Keys(found))
	slices.SortStableFunc(roles, func(a, b string) int { return slices.Index(order, a) - slices.Index(order, b) })
	return roles
}

// cell returns the name of the rung in tables and charts.
func (r *Rung) cell() string { return r.Letter + ". " + r.Title }
