package command

import (
	"context"
	"fmt"
	"io"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/dustin/go-humanize/english"
	"github.com/goccy/go-json"

	"systemscale/etl/internal/publish"
	"systemscale/etl/internal/shape"
	"systemscale/etl/internal/source"
	"systemscale/sql"
)

// planning is the flags of whatever compares before it writes.
type planning struct {
	database
	CSV   string `name:"csv" required:"" type:"path" placeholder:"DIR" help:"Directory that holds the CSV files."`
	Shape string `placeholder:"FILE" help:"Shape file that says what the CSV files and the documents are. Default: the built-in catalog of products."`
	temporary
	limits
}

// temporary is the flag of whatever may have to sort.
type temporary struct {
	Temp string `type:"path" placeholder:"DIR" help:"Directory for temporary files, of which none is left. Default: the system's."`
}

// reading returns how the files are to be read.
func (p *planning) reading(out *output, rejects rejects) reading {
	how := reading{directory: p.CSV, shape: p.Shape, temp: p.Temp, rejects: rejects, accepts: p.accepts, say: out.log()}
	if !p.accepts(gateDocumentSize) {
		how.maxDocument = p.MaxDocument
	}
	return how
}

type planCommand struct {
	planning
	JSON    bool `name:"json" help:"Write the plan as one JSON object."`
	Samples int  `default:"3" placeholder:"N" help:"Changed documents and addresses to show of each kind. Default: ${default}."`
}

func (c *planCommand) Help() string {
	return `Reads all files once, renders every document, and shows how they differ from what is published: how many, which fields of the first
ones, which URLs, and which gates would fail. It writes nothing, and may be used while a run is at work.

Exit code: 0 nothing would change, 10 something would, 3 or 20 to 26 a gate would fail.

Example:
  etl plan --csv ./dump
  etl plan --csv ./dump --json | jq .documents`
}

// Run shows the plan.
func (c *planCommand) Run(ctx context.Context, out *output) error {
	return showPlan(ctx, out, &c.planning, c.Samples, c.JSON)
}

// errChanges says that a plan found changes. It is no mistake, and has no message.
var errChanges = quietError{exitChanges}

// quietError ends the command with an exit code after everything has been said.
type quietError struct{ code int }

func (quietError) Error() string { return "the plan says it all" }

// plan is what would happen, in the form that --json writes.
type plan struct {
	Collection string          `json:"collection"`
	Live       int64           `json:"live"` // the version compared with; 0 when nothing is published
	Items      publish.Items   `json:"items"`
	Documents  []plannedChange `json:"documents"`
	Breaks     []string        `json:"breaks"` // what a client of the published documents would trip over
	Gates      []finding       `json:"gates"`
	Verdict    string          `json:"verdict"`
	Sources    []source.Counts `json:"sources"`
}

// plannedChange is what would happen to the documents of one name.
type plannedChange struct {
	publish.DocumentCounts
	URLs    urls            `json:"urls"`
	Samples []changedSample `json:"samples"`
}

// urls are the addresses whose answers would change.
type urls struct {
	Template string   `json:"template"` // empty for a document that the shape no longer has
	Count    int64    `json:"count"`    // for the document that is served in pages, of pages of 100
	First    []string `json:"first"`
}

// changedSample is one changed document and the fields that differ.
type changedSample struct {
	URL    string        `json:"url"`
	ID     int64         `json:"id"`
	Fields []fieldChange `json:"fields"`
	More   int           `json:"more,omitempty"` // fields that differ too
}

// showPlan makes a plan and writes it. The error tells its outcome as the exit code does.
func showPlan(ctx context.Context, out *output, of *planning, samples int, asJSON bool) error {
	began := time.Now()
	in, err := openInput(ctx, of.reading(out, &countedRejects{}))
	if err != nil {
		return err
	}
	defer in.close()
	survey := newSurvey(in.spec, samples)
	survey.comparison, err = publish.Compare(ctx, of.URL, in.spec.Collection, in.spec.Published(), survey.removed)
	if err != nil {
		return ofDatabase(err)
	}
	defer survey.comparison.Close()
	progress := newProgress(out.stderr, in.size, "compare")
	err = pass(ctx, in, func() { progress.at(in.position()) }, survey.reset, survey.take)
	progress.finish(err)
	if err != nil {
		return asGate(err)
	}
	in.warnOfWide()
	if err := survey.finish(); err != nil {
		return err
	}
	cut, err := in.cutFiles(survey.comparison.LastRun())
	if err != nil {
		return err
	}
	plan, err := survey.plan(in.counts(), cut, &of.limits)
	if err != nil {
		return err
	}
	if asJSON {
		encoder := json.NewEncoder(out.stdout)
		encoder.SetEscapeHTML(false)
		encoder.SetIndent("", "  ")
		err = encoder.Encode(plan)
	} else {
		plan.write(out.stdout, in.spec, time.Since(began))
	}
	if err != nil {
		return fmt.Errorf("write the plan: %w", err)
	}
	if failed := failedGates(plan.Gates); failed != nil {
		return quietError{exitCode(failed)}
	}
	if plan.differing() > 0 {
		return errChanges
	}
	return nil
}

// plan puts together what was found. The comparison must be finished.
func (s *survey) plan(counts []source.Counts, cut []string, limits *limits) (*plan, error) {
	changes := s.comparison.Changes()
	p := &plan{
		Collection: s.spec.Collection, Live: s.comparison.Version().Run, Items: changes.Items,
		Breaks: breaks(s.comparison.Version().Documents, s.spec), Gates: judge(limits, counts, cut, changes, s.biggest), Sources: counts,
	}
	p.Verdict = verdictOf(p.Gates)
	for i, found := range changes.Documents {
		planned := plannedChange{DocumentCounts: found, URLs: urls{First: []string{}}, Samples: []changedSample{}}
		if i < len(s.spec.Endpoints) {
			planned.URLs = s.urls(i, found.Counts)
			var err error
			if planned.Samples, err = s.changedSamples(i); err != nil {
				return nil, err
			}
		}
		p.Documents = append(p.Documents, planned)
	}
	return p, nil
}

func (s *survey) urls(document int, counts publish.Counts) urls {
	d := s.spec.Endpoints[document]
	u := urls{Template: address(s.spec, d), Count: counts.Differing(), First: []string{}}
	if d.List {
		var pages []int64
		u.Count, pages = s.differingPages(document, counts)
		for _, page := range pages {
			u.First = append(u.First, fmt.Sprintf("/%s?page=%d&count=%d", s.spec.Collection, page, sql.AnchorEvery))
		}
		return u
	}
	for _, id := range s.found[document].ids {
		u.First = append(u.First, addressOf(s.spec, d, id))
	}
	return u
}

// addressOf returns where an item's document is served; of the document that is served in pages, where the item would be.
func addressOf(spec *shape.Shape, d shape.Endpoint, id int64) string {
	if d.List {
		d.List, d.Path = false, ""
	}
	return strings.ReplaceAll(address(spec, d), "{id}", strconv.FormatInt(id, 10))
}

func (s *survey) changedSamples(document int) ([]changedSample, error) {
	samples := []changedSample{}
	var ids []int64
	for _, sample := range s.found[document].samples {
		ids = append(ids, sample.id)
	}
	if len(ids) == 0 {
		return samples, nil
	}
	before, err := s.comparison.Bodies(document, ids)
	if err != nil {
		return nil, ofDatabase(err)
	}
	for _, sample := range s.found[document].samples {
		fields, all, err := differences(before[sample.id], sample.body)
		if err != nil {
			return nil, err
		}
		samples = append(samples, changedSample{URL: addressOf(s.spec, s.spec.Endpoints[document], sample.id), ID: sample.id, Fields: fields, More: all - len(fields)})
	}
	return samples, nil
}

// breaks returns what a client of the published documents would trip over if the shape took their place.
func breaks(published []sql.Endpoint, spec *shape.Shape) []string {
	found := []string{}
	for _, old := range published {
		where := "GET " + address(spec, shape.Endpoint{Name: old.Name, Path: old.Path, List: old.List})
		i := slices.IndexFunc(spec.Endpoints, func(d shape.Endpoint) bool { return d.List == old.List && d.Path == old.Path })
		if i < 0 {
			found = append(found, where+": is gone")
			continue
		}
		var schema shape.Schema
		if err := json.Unmarshal([]byte(old.Schema), &schema); err != nil {
			continue // published before schemas were, or by a later program: nothing is known
		}
		for _, line := range schema.BreakingChanges(spec.Schema(&spec.Endpoints[i])) {
			found = append(found, where+": "+line)
		}
	}
	return found
}

func writeBreaks(w io.Writer, breaks []string) {
	if len(breaks) > 0 {
		fmt.Fprintf(w, "\nWARNING: the shape breaks what clients of the published documents rely on:\n  %s\n", strings.Join(breaks, "\n  "))
	}
}

func (p *plan) differing() int64 {
	var differing int64
	for _, d := range p.Documents {
		differing += d.Differing()
	}
	return differing
}

// write writes the plan for people.
func (p *plan) write(w io.Writer, spec *shape.Shape, took time.Duration) {
	writeSources(w, p.Sources)
	table := [][]string{{"document", "added", "changed", "removed", "unchanged", "urls", "at"}}
	for _, d := range p.Documents {
		at := d.URLs.Template
		if at == "" {
			at = "(no longer in the shape)"
		}
		table = append(table, []string{d.Name, count(d.Added), count(d.Changed), count(d.Removed), count(d.Unchanged), count(d.URLs.Count), at})
	}
	fmt.Fprintln(w)
	writeTable(w, table)
	for _, d := range p.Documents {
		if len(d.URLs.First) > 0 {
			fmt.Fprintf(w, "\n%s, URLs that would be refreshed: %s%s\n", d.Name, strings.Join(d.URLs.First, " "), andMore(d.URLs.Count-int64(len(d.URLs.First))))
		}
		for _, sample := range d.Samples {
			fmt.Fprintf(w, "  %s\n", sample.URL)
			for _, f := range sample.Fields {
				fmt.Fprintf(w, "    %s: %s → %s\n", f.Path, orNothing(f.Old), orNothing(f.New))
			}
			if sample.More > 0 {
				fmt.Fprintf(w, "    and %d more %s\n", sample.More, english.PluralWord(sample.More, "field", ""))
			}
		}
	}
	writeBreaks(w, p.Breaks)
	writeGates(w, p.Gates)
	compared := "nothing is published yet"
	if p.Live != 0 {
		compared = fmt.Sprintf("compared with version %d", p.Live)
	}
	fmt.Fprintf(w, "\n%s: %s %s, %s. Nothing was written. %.1f s\n", spec.Collection,
		english.Plural(int(p.differing()), "document", ""), english.PluralWord(int(p.differing()), "differs", "differ"), compared, took.Seconds())
}

func andMore(n int64) string {
	if n <= 0 {
		return ""
	}
	return fmt.Sprintf(" and %d more", n)
}

func orNothing(value string) string {
	if value == "" {
		return "nothing"
	}
	return value
}

// writeGates writes what the gates say, and at length what is wrong.
func writeGates(w io.Writer, findings []finding) {
	table := [][]string{{"gate", "value", "limit", "verdict"}}
	var messages []string
	for _, f := range findings {
		table = append(table, []string{f.Gate, f.Value, f.Limit, f.Verdict})
		if f.Message != "" {
			messages = append(messages, fmt.Sprintf("%s: %s (or --accept %s)", f.Gate, f.Message, f.Gate))
		}
	}
	fmt.Fprintln(w)
	writeTable(w, table)
	if len(messages) > 0 {
		fmt.Fprintf(w, "\n%s\n", strings.Join(messages, "\n"))
	}
}
