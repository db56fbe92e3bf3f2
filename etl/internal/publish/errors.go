package publish

import (
	"errors"
	"fmt"
	"slices"

	"github.com/jackc/pgx/v5/pgconn"
)

// ErrNotMigrated means that the database has no catalog schema.
var ErrNotMigrated = errors.New("the database has no catalog schema, or an old one: run etl migrate")

// ErrOutcomeUnknown means that the connection broke while the server committed the run, and that the result could not be read. The new or
// the former version is live, and complete.
var ErrOutcomeUnknown = errors.New("it is not known whether the run was published: catalog.run has the result")

// DatabaseError is an error of the database: of the connection, of the server, or an unexpected result. All functions and methods that use
// the database return their errors wrapped in it.
type DatabaseError struct{ Err error }

func (e *DatabaseError) Error() string { return e.Err.Error() }

func (e *DatabaseError) Unwrap() error { return e.Err }

// inDatabase wraps the error that a function is about to return.
func inDatabase(err *error) {
	if *err != nil {
		*err = &DatabaseError{*err}
	}
}

func migrationMissing(err error) error {
	var refused *pgconn.PgError
	const undefinedTable, undefinedColumn, invalidSchema = "42P01", "42703", "3F000"
	if errors.As(err, &refused) && slices.Contains([]string{undefinedTable, undefinedColumn, invalidSchema}, refused.Code) {
		return fmt.Errorf("%w (%w)", ErrNotMigrated, err)
	}
	return err
}

// isMissing reports whether a table does not exist.
func isMissing(err error) bool {
	var refused *pgconn.PgError
	const undefinedTable = "42P01"
	return errors.As(err, &refused) && refused.Code == undefinedTable
}

// isBusy reports whether a lock was not available in time.
func isBusy(err error) bool {
	var refused *pgconn.PgError
	const lockNotAvailable = "55P03"
	return errors.As(err, &refused) && refused.Code == lockNotAvailable
}
