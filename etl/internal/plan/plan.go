// Package plan computes the changes of a run, and evaluates the gates.
//
// A Survey compares the rendered documents of a pass with the published ones. Evaluate compares the result with the limits
// of the gates. New puts both together for a person or a program, with samples of the changed documents. The package writes nothing.
package plan

import (
	"fmt"

	"systemscale/etl/internal/publish"
	"systemscale/etl/internal/source"
	"systemscale/sql"
)

// Plan describes the changes of a run. Its JSON is the output of etl plan --json.
type Plan struct {
	Collection      string               `json:"collection"`
	Live            int64                `json:"live"` // the version compared with; 0 when nothing is published
	Items           publish.Items        `json:"items"`
	Documents       []Change             `json:"documents"`
	BreakingChanges []string             `json:"breaks"` // for clients of the published documents
	Gates           []publish.GateResult `json:"gates"`
	Verdict         publish.Verdict      `json:"verdict"`
	Sources         []source.Counts      `json:"sources"`
}

// Change is what would happen to the documents of one endpoint.
type Change struct {
	publish.EndpointCounts
	URLs    URLs     `json:"urls"`
	Samples []Sample `json:"samples"`
}

// URLs are the addresses whose responses would change.
type URLs struct {
	Template string   `json:"template"` // empty for an endpoint that the shape no longer has
	Count    int64    `json:"count"`    // of the list, the pages of 100 items
	First    []string `json:"first"`
}

// Sample is one changed document and the fields that differ.
type Sample struct {
	URL    string        `json:"url"`
	ID     sql.ID        `json:"id"` // a number or a string
	Fields []FieldChange `json:"fields"`
	More   int           `json:"more,omitempty"` // number of differing fields that are not in Fields
}

// New returns the plan of a finished survey. counts and cut are as in Evaluate. The bodies of changed documents are read from the database.
func New(s *Survey, limits *Limits, counts []source.Counts, cut []string) (*Plan, error) {
	changes, version := s.comparison.Changes(), s.comparison.Version()
	p := &Plan{
		Collection: s.spec.Collection, Live: version.Run, Items: changes.Items, BreakingChanges: BreakingChanges(version.Endpoints, s.spec),
		Gates: Evaluate(limits, counts, s.comparison.LastRun().Sources, cut, changes, s.largest), Sources: counts,
	}
	p.Verdict = VerdictOf(p.Gates)
	for i, found := range changes.Endpoints {
		change := Change{EndpointCounts: found, URLs: URLs{First: []string{}}, Samples: []Sample{}}
		if i < len(s.spec.Endpoints) {
			change.URLs = urls(s, i, found.Counts)
			var err error
			if change.Samples, err = samples(s, i); err != nil {
				return nil, err
			}
		}
		p.Documents = append(p.Documents, change)
	}
	return p, nil
}

// Differing returns how many documents a run would write.
func (p *Plan) Differing() int64 {
	var differing int64
	for _, d := range p.Documents {
		differing += d.Differing()
	}
	return differing
}

func urls(s *Survey, endpoint int, counts publish.Counts) URLs {
	d, found := s.spec.Endpoints[endpoint], &s.found[endpoint]
	u := URLs{Template: Address(s.spec, d), Count: counts.Differing(), First: []string{}}
	if d.List {
		before := counts.Changed + counts.Removed + counts.Unchanged
		var pages []int64
		u.Count, pages = found.pages.differing(before, s.tables[endpoint].Rows)
		for _, page := range pages {
			u.First = append(u.First, fmt.Sprintf("/%s?page=%d&count=%d", s.spec.Collection, page, sql.AnchorEvery))
		}
		return u
	}
	for _, id := range found.ids {
		u.First = append(u.First, AddressOf(s.spec, d, id))
	}
	return u
}

func samples(s *Survey, endpoint int) ([]Sample, error) {
	samples := []Sample{}
	var ids []sql.ID
	for _, sample := range s.found[endpoint].samples {
		ids = append(ids, sample.id)
	}
	if len(ids) == 0 {
		return samples, nil
	}
	before, err := s.comparison.Bodies(endpoint, ids)
	if err != nil {
		return nil, err
	}
	for _, sample := range s.found[endpoint].samples {
		fields, all, err := differences(before[sample.id], sample.body)
		if err != nil {
			return nil, err
		}
		samples = append(samples, Sample{
			URL: AddressOf(s.spec, s.spec.Endpoints[endpoint], sample.id), ID: sample.id, Fields: fields, More: all - len(fields),
		})
	}
	return samples, nil
}
