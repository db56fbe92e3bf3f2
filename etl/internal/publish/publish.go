// Package publish writes a collection's documents to Postgres and makes them what is live.
//
// A Session holds a collection: one at a time, until it is closed or its process dies. A Comparison
// says, while documents are rendered, how they differ from what is published, and a Spool keeps those
// that do. A Run then writes in one of two ways. A Load writes a whole new generation of document
// tables beside the live one, over several binary COPY streams, and flips the pointer row in one
// transaction. PublishDelta writes the spooled documents into the live tables in one transaction,
// together with a log of what stood there before. PublishRollback takes such a log back, or flips to
// an earlier generation. Whatever ends a run before its commit, an error, an interrupt or kill -9, leaves
// the published documents as they were; the tables of a run that did not publish are dropped by it,
// or by the next Session.
//
// No table that a reader uses is ever altered, renamed or locked against reading, and every answer that is
// read in one statement is of one version. The newest versions are kept, and can be returned to.
package publish

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/user"
	"slices"
	"time"

	"github.com/goccy/go-json"
	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"

	"systemscale/sql"
)

// ErrNotMigrated means that the database has no catalog schema.
var ErrNotMigrated = errors.New("the database has no catalog schema, or an old one: run etl migrate")

// ErrOutcomeUnknown means that the connection broke while the server was publishing the run, and that the server could not be
// asked how that ended. Either version is live, and complete.
var ErrOutcomeUnknown = errors.New("it is not known whether the run was published: catalog.run will say so")

// cleanUpTime limits what is done after a run was interrupted.
const cleanUpTime = 30 * time.Second

// Session is a hold on one collection, and a connection to write with. It is used by one goroutine.
type Session struct {
	config     *pgx.ConnConfig
	hold       *pgx.Conn // only holds
	conn       *pgx.Conn
	backend    uint32 // the server process that answers on conn
	collection string
	keep       int // versions before the live one
	live       Version
}

// Version is what the pointer row of a collection says.
type Version struct {
	Run        int64 // the data version; 0 when nothing is published
	Generation int64 // of the document tables
	Documents  []sql.Endpoint
	Rows       int64 // of all document tables
}

// Open connects, takes hold of the collection and clears away what killed runs left. keep is how many versions before the
// live one can still be returned to when the session has published, at least 1. The error is a *HeldError
// when another run holds the collection, and wraps ErrNotMigrated when the schema is not there.
func Open(ctx context.Context, databaseURL, collection string, keep int) (*Session, error) {
	return openSession(ctx, databaseURL, collection, keep, false)
}

// OpenPublished is Open for a collection that is published. The error is a *NotRetainedError when it is not, and nothing is created for it.
func OpenPublished(ctx context.Context, databaseURL, collection string, keep int) (*Session, error) {
	return openSession(ctx, databaseURL, collection, keep, true)
}

func openSession(ctx context.Context, databaseURL, collection string, keep int, published bool) (_ *Session, err error) {
	defer inDatabase(&err)
	conn, config, err := connect(ctx, databaseURL)
	if err != nil {
		return nil, err
	}
	s := &Session{config: config, conn: conn, collection: collection, keep: keep}
	s.backend, err = sql.Backend(ctx, conn)
	if err == nil && published {
		s.live, err = readVersion(ctx, conn, collection)
		if err == nil && s.live.Run == 0 {
			err = &NotRetainedError{Collection: collection}
		}
	}
	if err == nil {
		err = s.begin(ctx)
	}
	if err != nil {
		s.Close()
		return nil, err
	}
	return s, nil
}

// connect connects as every connection of the ETL does, and returns with what configuration. The error is sql.ErrURL when the URL is not
// one, and sql.ErrPooled when it leads through a pooler that cannot be used.
func connect(ctx context.Context, databaseURL string) (*pgx.Conn, *pgx.ConnConfig, error) {
	config, err := sql.Config(databaseURL, "systemscale-etl", sql.ConnectTimeout)
	if err != nil {
		return nil, nil, err
	}
	// Whatever the server's default: what is said to be published is on disk.
	config.RuntimeParams["synchronous_commit"] = "on"
	// A killed ETL must not leave a long statement running behind it.
	config.RuntimeParams["client_connection_check_interval"] = "2s"
	conn, err := sql.Connect(ctx, config)
	if err != nil {
		return nil, nil, fmt.Errorf("connect to the database: %w", err)
	}
	return conn, config, nil
}

// Register gives each gateway that is new to the collection a bookmark at the live version, so that its Journal has all later changes, however
// the run ends. gateways are the addresses of refresh endpoints.
func (s *Session) Register(ctx context.Context, gateways []string) (err error) {
	defer inDatabase(&err)
	if _, err := s.conn.Exec(ctx, sql.Query("etl/register_cache_nodes"), s.collection, s.live.Run, gateways); err != nil {
		return migrationMissing(fmt.Errorf("register the gateways: %w", err))
	}
	return nil
}

// Live returns what the pointer row says since the session was opened or last published.
func (s *Session) Live() Version { return s.live }

// Close releases the collection.
func (s *Session) Close() {
	ctx, cancel := context.WithTimeout(context.Background(), cleanUpTime)
	defer cancel()
	_ = s.conn.Close(ctx)
	if s.hold != nil {
		_ = s.hold.Close(ctx) // the server releases the lock when the connection ends, however it ends
	}
}

// cleanUpConn returns the session's connection, or a new one in its place when an interrupted statement took it along.
func (s *Session) cleanUpConn(ctx context.Context) (*pgx.Conn, error) {
	if s.conn.IsClosed() {
		conn, err := sql.ConnectAgain(ctx, s.config)
		if err != nil {
			return nil, fmt.Errorf("connect to clean up: %w", err)
		}
		s.conn = conn
	}
	return s.conn, nil
}

// begin takes the collection, and removes what killed runs left.
func (s *Session) begin(ctx context.Context) error {
	if err := s.take(ctx); err != nil {
		return err
	}
	if _, err := s.conn.Exec(ctx, sql.Query("etl/fail_dead_runs"), s.collection); err != nil {
		return migrationMissing(fmt.Errorf("look for killed runs: %w", err))
	}
	var err error
	if s.live, err = readVersion(ctx, s.conn, s.collection); err != nil {
		return err
	}
	return s.dropDeadTables(ctx)
}

// readVersion returns the zero Version when nothing is published.
func readVersion(ctx context.Context, conn *pgx.Conn, collection string) (Version, error) {
	var v Version
	err := conn.QueryRow(ctx, sql.Query("etl/select_version"), collection).Scan(&v.Run, &v.Generation, &v.Documents, &v.Rows)
	if err != nil && !errors.Is(err, pgx.ErrNoRows) {
		return Version{}, migrationMissing(fmt.Errorf("read the live version: %w", err))
	}
	return v, nil
}

// retain lets go of the versions that are not to be kept any longer, and of what only they need.
func (s *Session) retain(ctx context.Context) error {
	if _, err := s.conn.Exec(ctx, sql.Query("etl/release_versions"), s.collection, s.keep+1); err != nil {
		return fmt.Errorf("let go of old versions: %w", err)
	}
	if _, err := s.conn.Exec(ctx, sql.Query("etl/delete_changes"), s.collection); err != nil {
		return fmt.Errorf("shorten the log of changes: %w", err)
	}
	return s.dropDeadTables(ctx)
}

func migrationMissing(err error) error {
	var refused *pgconn.PgError
	const undefinedTable, undefinedColumn, invalidSchema = "42P01", "42703", "3F000"
	if errors.As(err, &refused) && slices.Contains([]string{undefinedTable, undefinedColumn, invalidSchema}, refused.Code) {
		return fmt.Errorf("%w (%w)", ErrNotMigrated, err)
	}
	return err
}

// deadTable is a document table that nobody may need again.
type deadTable struct {
	Generation int64
	Name       string
}

// dropDeadTables drops the tables of every generation but those of the versions that are kept and of runs at work. It
// trusts nothing that the session remembers, so it is safe whoever else is publishing. Each table goes in a transaction of
// its own: together they could deadlock with a batch of lookups.
func (s *Session) dropDeadTables(ctx context.Context) error {
	rows, err := s.conn.Query(ctx, sql.Query("etl/select_dead_tables"), s.collection)
	if err != nil {
		return migrationMissing(fmt.Errorf("list the tables to drop: %w", err))
	}
	tables, err := pgx.CollectRows(rows, pgx.RowToStructByPos[deadTable])
	if err != nil {
		return migrationMissing(fmt.Errorf("list the tables to drop: %w", err))
	}
	busy := false
	for i, t := range tables {
		if err := dropTable(ctx, s.conn, t.Name); err != nil && !isBusy(err) {
			return err
		} else if err != nil {
			busy = true
		}
		if i+1 < len(tables) && tables[i+1].Generation == t.Generation {
			continue
		}
		if busy {
			busy = false
			continue
		}
		// After its tables: a reader that is so far behind must miss a table and follow, not find a list without pages.
		if _, err := s.conn.Exec(ctx, sql.Query("etl/delete_page_anchors"), s.collection, t.Generation); err != nil {
			return fmt.Errorf("delete the page anchors of generation %d: %w", t.Generation, err)
		}
	}
	return nil
}

func dropTable(ctx context.Context, conn *pgx.Conn, name string) error {
	if _, err := conn.Exec(ctx, sql.QueryFor("etl/drop_table", "table", name)); err != nil {
		return fmt.Errorf("drop the table %s: %w", name, err)
	}
	return nil
}

// isBusy reports that somebody held a lock for longer than was waited.
func isBusy(err error) bool {
	var refused *pgconn.PgError
	const lockNotAvailable = "55P03"
	return errors.As(err, &refused) && refused.Code == lockNotAvailable
}

func holderName() string {
	who, where := "somebody", "somewhere"
	if u, err := user.Current(); err == nil {
		who = u.Username
	}
	if host, err := os.Hostname(); err == nil {
		where = host
	}
	return fmt.Sprintf("%s@%s, process %d", who, where, os.Getpid())
}

// encode returns v as the text of a jsonb parameter.
func encode(v any) (string, error) {
	text, err := json.Marshal(v)
	if err != nil {
		return "", fmt.Errorf("encode %T for the run's row: %w", v, err)
	}
	return string(text), nil
}
