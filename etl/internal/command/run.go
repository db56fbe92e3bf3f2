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

	"systemscale/etl/internal/publish"
	"systemscale/etl/internal/shape"
	"systemscale/etl/internal/source"
	"systemscale/sql"
)

type runCommand struct {
	planning
	retention
	caches
	measuring
	Rejects    string   `default:"rejects" placeholder:"DIR" help:"Where rejected rows go, each run into a new directory of its own. Default: ${default}."`
	Streams    int      `default:"2" placeholder:"N" help:"COPY streams to Postgres. Two keep two cores busy. Default: ${default}."`
	Mode       string   `default:"auto" enum:"auto,delta,generation" help:"How to write: delta (the changed documents, in one transaction), generation (everything, beside what is live, then a flip), or auto, the cheaper of the two. Default: ${default}."`
	DeltaLimit *percent `placeholder:"PERCENT" help:"With --mode auto, the largest share of the documents that is written as a delta. Default: 10%, or 10000 documents where that is more."`
	DryRun     bool     `help:"Only show what etl plan would, and write nothing."`
}

func (c *runCommand) Help() string {
	return `Reads all files, joins them, renders every document, and compares it with what is published. If no gate fails, what differs is
written: a little in one transaction, much by loading everything beside what is live and then flipping to it. Until that moment,
and after any failure, the API serves what it served before. Behind it, the caches that --cache names are told which documents
changed; one that cannot be told now is told by the next run.

Example:
  etl run --csv ./dump
  etl run --csv ./dump --cache http://cache-a:8281 --cache http://cache-b:8281
  etl run --csv ./dump --accept removed
  etl run --csv ./dump --shape ./books.yaml --rejects /var/lib/systemscale/rejects`
}

// Validate is called by kong once the flags are read.
func (c *runCommand) Validate() error {
	if c.Streams < 1 || c.Streams > 64 {
		return fmt.Errorf("--streams must be between 1 and 64, not %d", c.Streams)
	}
	return errors.Join(c.retention.check(), c.caches.check())
}

// What is written as a delta, if nothing else is said: a share at which it is still cheaper than a generation, and however large the share, a
// number at which neither costs a second. A delta lists what it changed, for the caches; decision 7 has the measurements.
const (
	deltaShare = percent(10)
	smallDelta = 10_000
)

// dryRunSamples is how many changed documents of each name a dry run shows.
const dryRunSamples = 3

// Run publishes the files of one directory.
func (c *runCommand) Run(ctx context.Context, out *output) error {
	if c.DryRun {
		return showPlan(ctx, out, &c.planning, dryRunSamples, false)
	}
	began := time.Now()
	collection := ""
	if spec, err := readShape(c.Shape); err == nil { // whose mistakes are reported below
		collection = spec.Collection
	}
	out.measure(c.measuring, collection)
	rejects := &source.RejectFiles{}
	in, err := openInput(ctx, c.reading(out, rejects))
	if err != nil {
		return err
	}
	defer in.close()

	session, err := publish.Open(ctx, c.URL, in.spec.Collection, c.Keep)
	if err != nil {
		return ofDatabase(err)
	}
	defer session.Close()
	if err := c.register(ctx, session); err != nil {
		return err
	}
	live := session.Live()
	job := &job{runCommand: c, out: out, in: in, session: session, rejects: rejects, mode: publish.Delta, documents: in.spec.Published()}
	comparable := live.Run != 0 && slices.EqualFunc(live.Documents, job.documents, sql.Endpoint.SameAddress)
	if !comparable && c.Mode == string(publish.Delta) {
		return &usageError{fmt.Sprintf("--mode delta: what is published of %s has other documents than the shape, or there is nothing: use --mode auto", in.spec.Collection)}
	}
	for _, line := range breaks(live.Documents, in.spec) {
		out.log().Warn("the shape breaks what clients of the published documents rely on", "where", line)
	}
	if !comparable || c.Mode == string(publish.Generation) {
		job.mode = publish.Generation
	}
	if err := job.do(ctx, began); err != nil {
		return err
	}
	session.Close() // what follows is no reason to keep the next run waiting
	c.warn(out, c.tell(ctx, out, c.URL, in.spec.Collection))
	return nil
}

// job is a run under way.
type job struct {
	*runCommand
	out       *output
	in        *input
	session   *publish.Session
	rejects   *source.RejectFiles
	documents []sql.Endpoint
	mode      publish.Mode // that is tried first

	run      *publish.Run
	survey   *survey
	progress *progress
	record   publish.Record
}

func (j *job) do(ctx context.Context, began time.Time) (err error) {
	j.record.Shape = shapeFingerprint(j.in.spec)
	if j.run, err = j.session.Begin(ctx, j.mode); err != nil {
		return ofDatabase(err)
	}
	j.rejects.Directory = filepath.Join(j.Rejects, fmt.Sprintf("%s-%d", j.in.spec.Collection, j.run.ID()))
	defer func() {
		j.out.metrics.sources(j.in.counts())
		if err != nil {
			j.record.Sources = j.in.counts()
			err = errors.Join(err, j.rejects.Close(), j.run.Abort(err, j.record))
		}
	}()

	j.survey = newSurvey(j.in.spec, 0)
	j.survey.comparison, err = publish.Compare(ctx, j.URL, j.in.spec.Collection, j.documents, j.survey.removed)
	if err != nil {
		return ofDatabase(err)
	}
	defer j.survey.comparison.Close()
	published, err := j.write(ctx)
	if err != nil {
		return err
	}
	j.report(published, time.Since(began))
	return nil
}

// write passes over the files and writes what it must. published.Run is 0 when there was nothing to write.
func (j *job) write(ctx context.Context) (published publish.Published, err error) {
	if j.mode == publish.Generation {
		load, err := j.run.Load(ctx, j.documents, j.Streams)
		if err != nil {
			return published, ofDatabase(err)
		}
		restart := func() error { return errors.Join(j.survey.reset(), ofDatabase(load.Reset(ctx))) }
		err = j.pass(ctx, "load", restart, func(document int, id int64, etag uint64, body []byte) error {
			if err := j.survey.take(document, id, etag, body); err != nil {
				return err
			}
			return ofDatabase(load.Append(document, id, etag, body))
		})
		if err != nil {
			return published, err
		}
		published, err = load.Publish(ctx, j.record, j.progress.phase)
		return published, ofDatabase(err)
	}

	spool := publish.NewSpool(j.Temp, len(j.documents), j.deltaLimit())
	defer func() { err = errors.Join(err, spool.Close()) }()
	j.survey.spool = spool
	if err := j.pass(ctx, "compare", j.survey.reset, j.survey.take); err != nil {
		return published, err
	}
	changes := j.survey.comparison.Changes()
	switch {
	case changes.Differing() == 0:
		return published, ofDatabase(j.run.Unchanged(ctx, j.record))
	case spool.Full():
		return j.loadAgain(ctx)
	}
	j.progress.phase("write the changes")
	published, err = j.run.PublishDelta(ctx, spool, j.documents, changes, j.survey.tables, j.record)
	return published, ofDatabase(err)
}

// deltaLimit returns how many documents are written as a delta.
func (j *job) deltaLimit() int64 {
	rows := j.session.Live().Rows
	switch {
	case j.Mode == string(publish.Delta):
		return math.MaxInt64 - 1
	case j.DeltaLimit != nil:
		return j.DeltaLimit.of(rows)
	}
	return max(deltaShare.of(rows), smallDelta)
}

// pass passes over the files once, and asks the gates.
func (j *job) pass(ctx context.Context, what string, restart func() error, emit emit) error {
	j.progress = newProgress(j.out.stderr, j.in.size, what)
	err := asGate(pass(ctx, j.in, func() { j.progress.at(j.in.position()) }, restart, emit))
	j.progress.finish(err)
	if err != nil {
		var failed *gateError
		if errors.As(err, &failed) {
			j.record.Gates, j.record.Verdict = failed.findings, verdictFailed
		}
		return err
	}
	j.in.warnOfWide()
	if err := j.rejects.Close(); err != nil {
		return fmt.Errorf("write the rejects: %w", err)
	}
	if err := j.survey.finish(); err != nil {
		return err
	}
	changes, counts := j.survey.comparison.Changes(), j.in.counts()
	j.out.metrics.changes(changes)
	cut, err := j.in.cutFiles(j.survey.comparison.LastRun())
	if err != nil {
		return err
	}
	findings := judge(&j.limits, counts, cut, changes, j.survey.biggest)
	j.record.Sources, j.record.Plan, j.record.Gates, j.record.Verdict = counts, changes, findings, verdictOf(findings)
	if err := failedGates(findings); err != nil {
		j.report(publish.Published{}, 0)
		return err
	}
	return nil
}

// loadAgain reads the files a second time, into new tables. They must not have changed meanwhile: the gates have judged what the
// first pass found.
func (j *job) loadAgain(ctx context.Context) (publish.Published, error) {
	j.survey.comparison.Close()
	again, err := j.in.again(ctx)
	if err != nil {
		return publish.Published{}, err
	}
	defer again.close()
	load, err := j.run.Load(ctx, j.documents, j.Streams)
	if err != nil {
		return publish.Published{}, ofDatabase(err)
	}
	sums := make([]checksum, len(j.documents))
	j.progress = newProgress(j.out.stderr, again.size, "load")
	// Arranged as it is, what is read again cannot turn out unsorted, unless it changed.
	err = passAgain(ctx, again, func() { j.progress.at(again.position()) }, func(document int, id int64, etag uint64, body []byte) error {
		sums[document].add(id, etag)
		return ofDatabase(load.Append(document, id, etag, body))
	})
	j.progress.finish(err)
	if err != nil {
		return publish.Published{}, err
	}
	for i, d := range j.documents {
		if sums[i] != j.survey.sums[i] {
			return publish.Published{}, &source.FileError{File: j.CSV, Message: fmt.Sprintf("the files changed while they were read: of %s, %d documents came of the first reading and %d of the second, or others. Run again when the dump is complete",
				d.Name, j.survey.sums[i].rows, sums[i].rows)}
		}
	}
	published, err := load.Publish(ctx, j.record, j.progress.phase)
	return published, ofDatabase(err)
}

// shapeFingerprint tells shapes apart that make different documents of the same files.
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
