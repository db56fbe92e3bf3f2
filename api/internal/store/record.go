package store

import (
	"context"
	"errors"
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

// lineage returns the lineage of an endpoint.
func (r *record) lineage(endpoint *Endpoint, newest *seen) *lineage {
	l := &lineage{key: keyPrefix(endpoint.Collection, endpoint.Name, endpoint.Generation, r.created), seen: newest, steps: make([]step, len(r.versions))}
	for i, version := range r.versions {
		l.steps[i] = step{stamp: version.stamp, changed: version.changed[endpoint.Name]}
	}
	return l
}

// errOtherVersion means that the host does not have the served version, or no longer.
var errOtherVersion = errors.New("the database does not have the served version")

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
