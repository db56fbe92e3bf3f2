package publish

import (
	"context"
	"errors"
	"fmt"
	"os"

	"github.com/jackc/pgx/v5"

	"systemscale/etl/internal/etag"
	"systemscale/sql"
)

// Run is a row of the history, from its registration in a session to its end. It must be used by one goroutine.
type Run struct {
	session *Session
	id      int64
	streams *streams // into the tables of its generation; nil unless it loads one
}

// Begin registers a run. Load.Publish, PublishDelta, PublishRollback, Unchanged or Abort must follow. mode is the expected mode; publishing
// records the actual one. The error is an *UnreadableError if a reading role could not read the documents of the run.
func (s *Session) Begin(ctx context.Context, mode Mode) (_ *Run, err error) {
	defer inDatabase(&err)
	// A right that is missing now would still be missing after the work.
	if err := makeReadable(ctx, s.conn, s.collection, 0, nil); err != nil {
		return nil, err
	}
	r := &Run{session: s}
	if err := s.conn.QueryRow(ctx, sql.Query("etl/insert_run"), s.collection, mode, holderName()).Scan(&r.id); err != nil {
		return nil, migrationMissing(fmt.Errorf("register the run: %w", err))
	}
	return r, nil
}

// Etags returns the hash function for the etags of a new generation.
func (r *Run) Etags() etag.Hash { return r.session.etags }

// etagHash returns the name of the hash function of the etags in the tables that a run creates, or nil if it creates none.
func etagHash(mode Mode) *string {
	if mode != Generation {
		return nil
	}
	name := etag.NameKeyed
	return &name
}

// ID returns the run's id, which becomes the data version when the run is published.
func (r *Run) ID() int64 { return r.id }

// publish makes version live in one transaction with change, if the version that was live when the session began still is. published and
// record, which change may modify, become the run's row. After an error nothing has changed, unless it is ErrOutcomeUnknown.
func (r *Run) publish(ctx context.Context, version Version, published Published, record *Record, change func(pgx.Tx) error) error {
	s := r.session
	tables, err := encode(published.Tables)
	if err != nil {
		return err
	}
	endpoints, err := encode(version.Endpoints)
	if err != nil {
		return err
	}
	err = pgx.BeginFunc(ctx, s.conn, func(tx pgx.Tx) error {
		if backend, err := sql.Backend(ctx, tx.Conn()); err != nil {
			return fmt.Errorf("look for a pooler: %w", err)
		} else if backend != s.backend {
			return sql.ErrPooled
		}
		if err := change(tx); err != nil {
			return err
		}
		if err := makeReadable(ctx, tx, s.collection, version.Generation, version.Endpoints); err != nil {
			return err
		}
		if published.Mode != Rollback { // last, so that a hold that was set meanwhile counts
			if err := passHold(ctx, tx, s.collection, record.Sources); err != nil {
				return err
			}
		}
		encoded, err := record.encode()
		if err != nil {
			return err
		}
		marked, err := tx.Exec(ctx, sql.Query("etl/finish_run"), r.id, statePublished, published.Mode, version.Generation, endpoints, tables,
			encoded.sources, encoded.plan, encoded.gates, encoded.verdict, encoded.shape, etagHash(published.Mode))
		if err != nil {
			return fmt.Errorf("mark the run published: %w", err)
		}
		if marked.RowsAffected() != 1 {
			return errors.New("another session marked the run as failed")
		}
		statement, arguments := "etl/insert_version", []any{s.collection, version.Generation, r.id, endpoints}
		if s.live.Run != 0 {
			statement, arguments = "etl/flip_version", append(arguments, s.live.Run)
		}
		flipped, err := tx.Exec(ctx, sql.Query(statement), arguments...)
		if err != nil {
			return fmt.Errorf("flip the version row: %w", err)
		}
		if flipped.RowsAffected() != 1 {
			return fmt.Errorf("another run published %s during this one: nothing is changed", s.collection)
		}
		if _, err := tx.Exec(ctx, sql.Query("etl/notify_version"), sql.VersionChannel, s.collection); err != nil {
			return fmt.Errorf("notify the listeners: %w", err)
		}
		return nil
	})
	if err != nil {
		err = fmt.Errorf("publish run %d: %w", r.id, err)
		// The connection may have broken while the server was committing: the run's row has the result.
		switch state, settleErr := r.settle(err, *record); {
		case settleErr != nil:
			return errors.Join(ErrOutcomeUnknown, err, settleErr)
		case state != statePublished:
			return err
		}
	}
	s.live = version
	s.live.Rows = 0
	for _, t := range published.Tables {
		s.live.Rows += t.Rows
	}
	// Failed cleanup is retried when the next session opens.
	_ = s.retain(ctx)
	return nil
}

// Unchanged ends a run that has nothing to publish. The live version stays.
func (r *Run) Unchanged(ctx context.Context, record Record) (err error) {
	defer inDatabase(&err)
	if err := passHold(ctx, r.session.conn, r.session.collection, record.Sources); err != nil {
		return err
	}
	encoded, err := record.encode()
	if err != nil {
		return err
	}
	_, err = r.session.conn.Exec(ctx, sql.Query("etl/finish_run"), r.id, stateUnchanged, Delta, nil, nil, nil,
		encoded.sources, encoded.plan, encoded.gates, encoded.verdict, encoded.shape, etagHash(Delta))
	if err != nil {
		return fmt.Errorf("mark the run unchanged: %w", err)
	}
	return nil
}

// settle marks the run as failed because of cause, unless it has ended already, and returns its state.
func (r *Run) settle(cause error, record Record) (state string, err error) {
	ctx, cancel := context.WithTimeout(context.Background(), cleanUpTime)
	defer cancel()
	encoded, err := record.encode()
	if err != nil {
		return "", err
	}
	// Twice, because a connection that was lost while it was idle fails only when it is used.
	for range 2 {
		var conn *pgx.Conn
		if conn, err = r.session.cleanUpConn(ctx); err != nil {
			continue
		}
		err = conn.QueryRow(ctx, sql.Query("etl/fail_run"), r.id, cause.Error(),
			encoded.sources, encoded.plan, encoded.gates, encoded.verdict, encoded.shape).Scan(&state)
		if err == nil {
			return state, nil
		}
	}
	return "", fmt.Errorf("mark run %d failed: %w", r.id, err)
}

// Abort marks the run as failed because of cause and drops its tables. It works after the context of the run was canceled. It does not
// change a published run.
func (r *Run) Abort(cause error, record Record) (err error) {
	defer inDatabase(&err)
	if r.streams != nil {
		r.streams.abandon()
	}
	state, err := r.settle(cause, record)
	if err != nil || state != stateFailed || r.streams == nil {
		return err
	}
	ctx, cancel := context.WithTimeout(context.Background(), cleanUpTime)
	defer cancel()
	conn, err := r.session.cleanUpConn(ctx)
	if err != nil {
		return err
	}
	return r.streams.drop(ctx, conn)
}

func holderName() string { return fmt.Sprintf("%s, process %d", author(), os.Getpid()) }
