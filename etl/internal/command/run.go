package command

import (
	"context"
	"encoding/hex"
	"errors"
	"fmt"
	"math"
	"path/filepath"
	"slices"
	"time"

	"github.com/goccy/go-json"
	"github.com/zeebo/xxh3"

	"systemscale/etl/internal/dump"
	"systemscale/etl/internal/join"
	"systemscale/etl/internal/plan"
	"systemscale/etl/internal/publish"
	"systemscale/etl/internal/shape"
	"systemscale/etl/internal/source"
	"systemscale/sql"
)

type runCommand struct {
	Compare    planFlags      `embed:""`
	Retention  retentionFlags `embed:""`
	Gateways   gatewayFlags   `embed:""`
	Metrics    metricsFlags   `embed:""`
	Rejects    string         `default:"rejects" placeholder:"DIR" help:"Directory for rejected rows; each run creates a directory of its own there. Default: ${default}."`
	Streams    int            `default:"2" placeholder:"N" help:"COPY streams to Postgres. Two keep two cores busy. Default: ${default}."`
	Mode       string         `default:"auto" enum:"auto,delta,generation" help:"How to write: delta (the changed documents, in one transaction), generation (all documents, into new tables, then a flip), or auto, the cheaper of the two. Default: ${default}."`
	DeltaLimit *plan.Percent  `placeholder:"PERCENT" help:"With --mode auto, the largest share of the documents that is written as a delta. Default: 10%, or 10,000 documents where that is more."`
	DryRun     bool           `help:"Show what etl plan would, and write nothing."`
}

func (c *runCommand) Help() string {
	return `Reads all files, joins them, renders every document, and compares it with what is published. If no gate fails, the documents that
differ are written: a few in one transaction, many by loading all documents into new tables and then flipping to them. Until that moment,
and after any failure, the API serves the version before. After publishing, the run refreshes the cached copies of changed documents in the
gateways that --gateway names; the next run repeats a failed refresh.

Example:
  etl run --csv ./dump
  etl run --csv ./dump --gateway http://gateway-a:8281 --gateway http://gateway-b:8281
  etl run --csv ./dump --accept removed
  etl run --csv ./dump --shape ./books.yaml --rejects /var/lib/systemscale/rejects`
}

// Validate is called by kong after parsing.
func (c *runCommand) Validate() error {
	if c.Streams < 1 || c.Streams > 64 {
		return fmt.Errorf("--streams must be between 1 and 64, not %d", c.Streams)
	}
	return errors.Join(c.Retention.check(), c.Gateways.check())
}

// The limits of a delta by default: a share of the documents at which a delta is still cheaper than a generation, and a number of documents
// for which either takes less than a second. A delta records its changes for the gateways; decision 7 has the measurements.
const (
	deltaShare = plan.Percent(10)
	smallDelta = 10_000
)

// dryRunSamples is how many changed documents of each endpoint a dry run shows.
const dryRunSamples = 3

// Run publishes the files of one directory.
func (c *runCommand) Run(ctx context.Context, out *output) error {
	c.Gateways.warnOfOldNames(out)
	if c.DryRun {
		dry := planCommand{Compare: c.Compare, Samples: dryRunSamples}
		return dry.Run(ctx, out)
	}
	began := time.Now()
	collection := ""
	if spec, err := dump.ReadShape(c.Compare.Files.Shape); err == nil { // a mistake is reported below
		collection = spec.Collection
	}
	out.metrics = newMetrics(c.Metrics, collection)
	if collection != "" {
		if err := c.checkHold(ctx, out, collection); err != nil {
			return err
		}
	}
	done, err := c.Compare.Files.spool(ctx, c.Compare.Temporary.Temp)
	if err != nil {
		return err
	}
	defer done()
	d, err := dump.Open(ctx, c.Compare.options(out))
	if err != nil {
		return err
	}
	defer d.Close()

	spec, url := d.Spec(), c.Compare.Database.URL
	session, err := publish.Open(ctx, url, spec.Collection, c.Retention.Keep)
	if err != nil {
		return err
	}
	defer session.Close()
	live := session.Live()
	if err := publish.CheckIDs(spec.Collection, live.Endpoints, spec.Published()); err != nil {
		return err
	}
	if err := c.Gateways.register(ctx, session); err != nil {
		return err
	}
	r := &run{flags: c, out: out, began: began, session: session, mode: publish.Delta, endpoints: spec.Published()}
	sameAddresses := live.Run != 0 && slices.EqualFunc(live.Endpoints, r.endpoints, sql.Endpoint.SameAddress)
	if !sameAddresses && c.Mode == string(publish.Delta) {
		return &usageError{fmt.Sprintf(
			"--mode delta: the published endpoints of %s are not those of the shape, or none is published: use --mode auto", spec.Collection)}
	}
	for _, line := range plan.BreakingChanges(live.Endpoints, spec) {
		out.logger.Warn("the shape breaks clients of the published documents", "where", line)
	}
	if !sameAddresses || c.Mode == string(publish.Generation) {
		r.mode = publish.Generation
	}
	if err := r.do(ctx, d); err != nil {
		return err
	}
	out.metrics.onHold(false)
	session.Close() // the next run need not wait for the refresh
	c.Gateways.warn(out, c.Gateways.refresh(ctx, out, url, spec.Collection))
	return nil
}

// checkHold returns a *publish.OnHoldError if no dump may be published. A hold that another dump releases is checked after the files have
// been read.
func (c *runCommand) checkHold(ctx context.Context, out *output, collection string) error {
	hold, err := publish.ReadHold(ctx, c.Compare.Database.URL, collection)
	if is[*publish.DatabaseError](err) {
		return nil // the run needs the database later, and mistakes in the files are reported without it
	}
	if err != nil {
		return err
	}
	out.metrics.onHold(hold != nil)
	if hold != nil && len(hold.Dump) == 0 {
		return &publish.OnHoldError{Collection: collection, Hold: *hold}
	}
	return nil
}

// run is a run between its registration and its end.
type run struct {
	flags     *runCommand
	out       *output
	began     time.Time
	session   *publish.Session
	endpoints []sql.Endpoint
	mode      publish.Mode // of the first attempt

	published *publish.Run
	record    publish.Record
}

// do registers the run, makes attempts until the files are in order, and ends the run.
func (r *run) do(ctx context.Context, d *dump.Dump) error {
	r.record.Shape = shapeFingerprint(d.Spec())
	var err error
	if r.published, err = r.session.Begin(ctx, r.mode); err != nil {
		return err
	}
	if err := d.Arranged(ctx, func(d *dump.Dump) error { return r.attempt(ctx, d) }); err != nil {
		return errors.Join(err, r.published.Abort(err, r.record))
	}
	return nil
}

// attempt is one attempt of a run with the files in a given order. Another attempt follows a *join.Disorder.
type attempt struct {
	run        *run
	dump       *dump.Dump
	rejects    *source.RejectFiles
	comparison *publish.Comparison
	survey     *plan.Survey
	progress   *progress
	reported   bool // the report names the rejected rows
}

func (r *run) attempt(ctx context.Context, d *dump.Dump) (err error) {
	spec := d.Spec()
	a := &attempt{run: r, dump: d}
	a.rejects = &source.RejectFiles{Directory: filepath.Join(r.flags.Rejects, fmt.Sprintf("%s-%d", spec.Collection, r.published.ID()))}
	defer func() { err = a.end(err) }()
	a.comparison, err = publish.Compare(ctx, r.flags.Compare.Database.URL, spec.Collection, r.endpoints)
	if err != nil {
		return err
	}
	defer a.comparison.Close()
	version, err := a.write(ctx)
	if err != nil {
		return err
	}
	a.report(version)
	return nil
}

// end records the fates of the rows, and closes the files of rejects, or removes them if another attempt follows.
func (a *attempt) end(err error) error {
	a.run.out.metrics.sources(a.dump.Counts())
	if err == nil {
		return nil
	}
	a.run.record.Sources = a.dump.Counts()
	if !errors.As(err, new(*join.Disorder)) {
		err = errors.Join(err, a.rejects.Close())
		if len(a.rejects.First()) > 0 && !a.reported {
			err = errors.Join(err, fmt.Errorf("the rejected rows are in %s", a.rejects.Directory))
		}
		return err
	}
	if removeErr := a.rejects.Remove(); removeErr != nil {
		return fmt.Errorf("remove the rejects of the first reading: %w", removeErr)
	}
	return err
}

// write reads the files, and writes the documents that differ, or all. It returns the new version, or 0 if nothing differs.
func (a *attempt) write(ctx context.Context) (version int64, err error) {
	if a.run.mode == publish.Generation {
		return a.writeGeneration(ctx)
	}
	spool := publish.NewSpool(a.run.flags.Compare.Temporary.Temp, len(a.run.endpoints), a.deltaLimit())
	defer func() { err = errors.Join(err, spool.Close()) }()
	a.survey = plan.NewSurvey(a.dump.Spec(), a.comparison, spool, 0)
	if err := a.pass(ctx, "compare", a.survey.Take); err != nil {
		return 0, err
	}
	changes := a.comparison.Changes()
	switch {
	case changes.Differing() == 0:
		return 0, a.run.published.Unchanged(ctx, a.run.record)
	case spool.Full():
		return a.loadAgain(ctx)
	}
	a.progress.phase("write the changes")
	published, err := a.run.published.PublishDelta(ctx, spool, a.run.endpoints, changes, a.survey.Tables(), a.run.record)
	return published.Run, err
}

// writeGeneration reads the files and loads all documents in one pass.
func (a *attempt) writeGeneration(ctx context.Context) (version int64, err error) {
	load, err := a.run.published.Load(ctx, a.run.endpoints, a.run.flags.Streams)
	if err != nil {
		return 0, err
	}
	a.survey = plan.NewSurvey(a.dump.Spec(), a.comparison, nil, 0)
	stored := a.storedEtags()
	err = a.pass(ctx, "load", func(document int, id sql.ID, etag uint64, body []byte) error {
		if err := a.survey.Take(document, id, etag, body); err != nil {
			return err
		}
		return load.Append(document, id, stored(etag, body), body)
	})
	if err != nil {
		return 0, err
	}
	published, err := load.Publish(ctx, a.run.record, a.progress.phase)
	return published.Run, err
}

// storedEtags returns a function from the etag that a document is compared by to the etag in a new generation. They differ if an earlier
// build loaded the published generation.
func (a *attempt) storedEtags() func(compared uint64, body []byte) uint64 {
	stored := a.run.published.Etags()
	if stored == a.comparison.Etags() {
		return func(compared uint64, _ []byte) uint64 { return compared }
	}
	return func(_ uint64, body []byte) uint64 { return stored.Of(body) }
}

// deltaLimit returns the largest number of documents that are written as a delta.
func (a *attempt) deltaLimit() int64 {
	rows := a.run.session.Live().Rows
	switch {
	case a.run.flags.Mode == string(publish.Delta):
		return math.MaxInt64 - 1
	case a.run.flags.DeltaLimit != nil:
		return a.run.flags.DeltaLimit.Of(rows)
	}
	return max(deltaShare.Of(rows), smallDelta)
}

// pass reads the files and evaluates the gates. The error is a *plan.GateError if one fails.
func (a *attempt) pass(ctx context.Context, task string, take func(document int, id sql.ID, etag uint64, body []byte) error) error {
	d := a.dump
	a.progress = newProgress(a.run.out.stderr, d.Size(), task)
	err := d.Pass(ctx, dump.Handlers{Document: take, Etags: a.comparison.Etags(), Rejects: a.rejects, Tick: func() { a.progress.at(d.Position()) }})
	a.progress.finish(err)
	if err != nil {
		err = gateError(err)
		var failed *plan.GateError
		if errors.As(err, &failed) {
			a.run.record.Gates, a.run.record.Verdict = failed.Results, publish.Failed
		}
		return err
	}
	d.WarnOfWide()
	if err := a.rejects.Close(); err != nil {
		return fmt.Errorf("write the rejects: %w", err)
	}
	if err := a.survey.Finish(); err != nil {
		return err
	}
	changes, counts, last := a.comparison.Changes(), d.Counts(), a.comparison.LastRun()
	a.run.out.metrics.changes(changes)
	results := plan.Evaluate(&a.run.flags.Compare.Gates, counts, last.Sources, d.CutFiles(last.Run, last.Sources), changes, a.survey.Largest())
	a.run.record.Sources, a.run.record.Plan, a.run.record.Gates, a.run.record.Verdict = counts, &changes, results, plan.VerdictOf(results)
	if err := plan.Failed(results); err != nil {
		a.report(0)
		return err
	}
	return nil
}

// loadAgain reads the files a second time and loads their documents into new tables. The documents must equal those of the first pass,
// which the gates have evaluated.
func (a *attempt) loadAgain(ctx context.Context) (version int64, err error) {
	a.comparison.Close()
	again, err := a.dump.Again(ctx)
	if err != nil {
		return 0, err
	}
	defer again.Close()
	load, err := a.run.published.Load(ctx, a.run.endpoints, a.run.flags.Streams)
	if err != nil {
		return 0, err
	}
	sums, stored := make([]plan.Checksum, len(a.run.endpoints)), a.storedEtags()
	a.progress = newProgress(a.run.out.stderr, again.Size(), "load")
	err = again.Pass(ctx, dump.Handlers{
		Etags: a.comparison.Etags(),
		Tick:  func() { a.progress.at(again.Position()) },
		Document: func(document int, id sql.ID, etag uint64, body []byte) error {
			sums[document].Add(id, etag)
			return load.Append(document, id, stored(etag, body), body)
		},
	})
	a.progress.finish(err)
	if err != nil {
		return 0, err
	}
	for i, first := range a.survey.Checksums() {
		if sums[i] != first {
			return 0, &source.FileError{File: a.run.flags.Compare.Files.CSV, Message: fmt.Sprintf(
				"the files changed while they were read: the first reading of %s gave %s, the second %s, or others. "+
					"Run again when the dump is complete",
				a.run.endpoints[i].Name, plural(first.Rows, "document"), plural(sums[i].Rows, "document"))}
		}
	}
	published, err := load.Publish(ctx, a.run.record, a.progress.phase)
	return published.Run, err
}

func (a *attempt) report(version int64) {
	r := report{
		spec: a.dump.Spec(), counts: a.dump.Counts(), changes: a.comparison.Changes(), tables: a.survey.Tables(), rejects: a.rejects,
		record: &a.run.record, live: a.run.session.Live().Run, published: version, took: time.Since(a.run.began),
	}
	r.write(a.run.out)
	a.reported = true
}

// shapeFingerprint is equal for shapes that render the same documents from the same files.
func shapeFingerprint(spec *shape.Shape) string {
	nameless := *spec
	nameless.Name = ""
	text, err := json.Marshal(nameless)
	if err != nil {
		panic("BUG: a shape cannot be written as JSON: " + err.Error())
	}
	sum := xxh3.Hash128(text).Bytes()
	return hex.EncodeToString(sum[:])
}
