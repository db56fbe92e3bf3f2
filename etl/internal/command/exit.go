package command

import (
	"errors"

	"systemscale/etl/internal/publish"
	"systemscale/etl/internal/shape"
	"systemscale/etl/internal/source"
	"systemscale/sql"
)

// Exit codes, for whatever decides whether somebody is woken.
const (
	exitOK          = 0
	exitUnexpected  = 1
	exitUsage       = 2
	exitFiles       = 3
	exitDatabase    = 4
	exitHeld        = 5
	exitUntold      = 6
	exitChanges     = 10  // of a plan; a gate's own codes are in gates
	exitInterrupted = 130 // 128 + SIGINT, as shells say it
)

var errInterrupted = errors.New("interrupted: nothing new is published")

// databaseError marks whatever came of talking to the database.
type databaseError struct{ error }

// ofDatabase marks err, if there is one.
func ofDatabase(err error) error {
	if err == nil {
		return nil
	}
	return &databaseError{err}
}

func (e *databaseError) Unwrap() error { return e.error }

// usageError is a mistake in the flags that shows only when the database is asked.
type usageError struct{ message string }

func (e *usageError) Error() string { return e.message }

// exitCode is the one table from an error to the exit code.
func exitCode(err error) int {
	var quiet quietError
	switch {
	case errors.As(err, &quiet):
		return quiet.code
	case err == nil:
		return exitOK
	case errors.Is(err, errInterrupted):
		return exitInterrupted
	case is[*shape.Error](err), is[*usageError](err), is[*publish.NotRetainedError](err), errors.Is(err, sql.ErrURL):
		return exitUsage
	case is[*gateError](err):
		var failed *gateError
		errors.As(err, &failed)
		return exitOfGate(failed.findings[0].Gate)
	case is[*oversizeError](err):
		return exitOfGate(gateDocumentSize)
	case is[*source.FileError](err):
		return exitOfFiles(err)
	case is[*publish.HeldError](err):
		return exitHeld
	case is[*untoldError](err) && !is[*databaseError](err):
		return exitUntold
	case is[*databaseError](err):
		return exitDatabase
	}
	return exitUnexpected
}

func is[E error](err error) bool {
	var target E
	return errors.As(err, &target)
}
