package store

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"time"

	"github.com/jackc/pgx/v5"

	"systemscale/api/internal/cache"
	"systemscale/sql"
)

const (
	// maxChanged is the maximum number of changed documents in the lineages of a collection. 1,000,000 take about 20 MB.
	maxChanged = 1_000_000
	// maxSteps is the maximum number of versions in a lineage.
	maxSteps = 64
	// recordTimeout bounds the reading of the change log, which may be long.
	recordTimeout = 30 * time.Second
	// minRecordPause is the pause after the change log could not be read; it doubles up to the polling interval.
	minRecordPause = 20 * time.Millisecond
)

// record is what the change log has about the served version of a collection: versions with the ids that they changed, the newest first.
type record struct {
	generation int64
	created    int64 // when the generation was created, in microseconds of Unix time
	versions   []recorded
}

// recorded is a version. changed has the ids, as hashed returns them, by endpoint; it is nil if they are not known.
type recorded struct {
	stamp   cache.Stamp
	changed map[string]map[int64]struct{}
	count   int
}

// run reads the lineages of new versions, until ctx ends.
func (t *tier) run(ctx context.Context, poll time.Duration) {
	pause := minRecordPause
	for {
		changed := t.follower.nextChange()
		var again <-chan time.Time
		if err := t.update(ctx, t.follower.snapshot.Load()); err != nil {
			if pause >= poll && ctx.Err() == nil {
				t.logger.Warn("cannot read the change log, retrying; the document cache is not used meanwhile", "error", err)
			}
			again = time.After(pause)
			pause = min(2*pause, max(poll, minRecordPause))
		} else {
			pause = minRecordPause
		}
		select {
		case <-ctx.Done():
			return
		case <-changed:
		case <-again:
		}
	}
}

// update reads the lineages of all endpoints of a snapshot that have none.
func (t *tier) update(ctx context.Context, snapshot *Snapshot) error {
	var failures []error
	for _, collection := range snapshot.Collections() {
		if len(collection.Endpoints) == 0 || collection.byName[collection.Endpoints[0].Name].lineage.Load() != nil {
			continue
		}
		read, err := t.read(ctx, collection)
		if err != nil {
			failures = append(failures, fmt.Errorf("versions of %s: %w", collection.Collection, err))
			continue
		}
		t.known[collection.Collection] = read
		for name, endpoint := range collection.byName {
			if name != "" { // not the change log
				endpoint.lineage.Store(read.lineage(endpoint, t.of(collection.Collection)))
			}
		}
	}
	return errors.Join(failures...)
}

// lineage returns the lineage of an endpoint.
func (r *record) lineage(endpoint *Endpoint, newest *seen) *lineage {
	l := &lineage{key: keyPrefix(endpoint, r.created), seen: newest, steps: make([]step, len(r.versions))}
	for i, version := range r.versions {
		l.steps[i] = step{stamp: version.stamp, changed: version.changed[endpoint.Name]}
	}
	return l
}

// errOtherVersion means that the host does not have the served version, or no longer.
var errOtherVersion = errors.New("the database does not have the served version")

// read reads the record of a collection from a host with the newest version, in one transaction.
func (t *tier) read(ctx context.Context, collection *Collection) (*record, error) {
	ctx, cancel := context.WithTimeout(ctx, recordTimeout)
	defer cancel()
	config := t.follower.current().Copy()
	config.RuntimeParams["statement_timeout"] = strconv.FormatInt(recordTimeout.Milliseconds(), 10)
	conn, _, err := dialConn(ctx, config)
	if err != nil {
		return nil, err
	}
	defer closeConn(conn)
	var read *record
	options := pgx.TxOptions{IsoLevel: pgx.RepeatableRead, AccessMode: pgx.ReadOnly}
	err = pgx.BeginTxFunc(ctx, conn, options, func(tx pgx.Tx) error {
		if read, err = readVersionsOf(ctx, tx, collection); err != nil {
			return err
		}
		return t.readChanged(ctx, tx, collection, read)
	})
	return read, err
}

// readVersionsOf reads the versions up to the served one.
func readVersionsOf(ctx context.Context, tx pgx.Tx, collection *Collection) (*record, error) {
	rows, err := tx.Query(ctx, sql.Query("api/list_versions"), pgx.QueryExecModeExec,
		collection.Collection, collection.Run, collection.Generation, maxSteps)
	if err != nil {
		return nil, err
	}
	stamps, err := pgx.CollectRows(rows, func(row pgx.CollectableRow) (stamp cache.Stamp, err error) {
		var at time.Time
		err = row.Scan(&stamp.Run, &at)
		stamp.PublishedAt = at.UnixMicro()
		return stamp, err
	})
	if err != nil {
		return nil, err
	}
	served := cache.Stamp{Run: collection.Run, PublishedAt: collection.PublishedAt.UnixMicro()}
	if len(stamps) < 2 || stamps[0] != served || stamps[len(stamps)-1].Run != collection.Generation {
		return nil, errOtherVersion
	}
	read := &record{generation: collection.Generation, created: stamps[len(stamps)-1].PublishedAt}
	for _, stamp := range stamps[:len(stamps)-1] {
		read.versions = append(read.versions, recorded{stamp: stamp})
	}
	return read, nil
}

// readChanged reads which ids the versions of read have changed, except those of the last one. It removes the versions before one with too
// many changes. What is known of an earlier version is not read again.
func (t *tier) readChanged(ctx context.Context, tx pgx.Tx, collection *Collection, read *record) error {
	earlier := map[cache.Stamp]recorded{}
	if known := t.known[collection.Collection]; known != nil && known.generation == read.generation && known.created == read.created {
		for _, version := range known.versions {
			if version.changed != nil {
				earlier[version.stamp] = version
			}
		}
	}
	left := t.changes
	for i := range read.versions[:len(read.versions)-1] {
		version := &read.versions[i]
		if known, found := earlier[version.stamp]; found {
			*version = known
		} else if err := version.read(ctx, tx, collection, left+1); err != nil {
			return err
		}
		if version.count > left {
			version.changed = nil
			read.versions = read.versions[:i+1]
			return nil
		}
		left -= version.count
	}
	return nil
}

// read reads at most limit of the ids that a version has changed.
func (r *recorded) read(ctx context.Context, tx pgx.Tx, collection *Collection, limit int) error {
	texts := collection.IDParts() > 0
	rows, err := tx.Query(ctx, sql.QueryFor("api/list_changed_ids", "change", sql.ChangeTable(collection.IDParts())),
		pgx.QueryExecModeCacheDescribe, collection.Collection, r.stamp.Run, collection.Generation, limit)
	if err != nil {
		return err
	}
	r.changed, r.count = map[string]map[int64]struct{}{}, 0
	var name, text string
	var number int64
	id := any(&number)
	if texts {
		id = &text
	}
	_, err = pgx.ForEachRow(rows, []any{&name, id}, func() error {
		ids := r.changed[name]
		if ids == nil {
			ids = map[int64]struct{}{}
			r.changed[name] = ids
		}
		key := number
		if texts {
			key = hashed(sql.TextID(text))
		}
		ids[key] = struct{}{}
		r.count++
		return nil
	})
	return err
}
