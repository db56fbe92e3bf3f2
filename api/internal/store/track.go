package store

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"time"

	"github.com/jackc/pgx/v5"

	"systemscale/api/internal/cache"
)

const (
	// recordTimeout bounds the reading of the change log, which may be long.
	recordTimeout = 30 * time.Second
	// minRecordPause is the pause after the change log could not be read; it doubles up to the polling interval.
	minRecordPause = 20 * time.Millisecond
)

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
