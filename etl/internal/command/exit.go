package command

import (
	"errors"

	"systemscale/etl/internal/dump"
	"systemscale/etl/internal/plan"
	"systemscale/etl/internal/publish"
	"systemscale/etl/internal/shape"
	"systemscale/etl/internal/source"
	"systemscale/sql"
)

// Exit codes, for schedulers and alerts.
const (
	exitOK          = 0
	exitUnexpected  = 1
	exitUsage       = 2
	exitFiles       = 3
	exitDatabase    = 4
	exitHeld        = 5
	exitRefresh     = 6
	exitOnHold      = 7
	exitChanges     = 10  // of a plan; see gateExits for the gates
	exitInterrupted = 130 // 128 + SIGINT, as shells report it
)

// gateExits are the exit codes of the gates.
var gateExits = map[plan.Gate]int{
	plan.TruncatedFile: exitFiles,
	plan.Unreconciled:  20,
	plan.Rejects:       21,
	plan.Removed:       22,
	plan.Changed:       23,
	plan.MissingColumn: 24,
	plan.EmptyFile:     25,
	plan.DocumentSize:  26,
	plan.FewerRows:     27,
}

var errInterrupted = errors.New("interrupted: nothing new is published")

// codeError ends the command with an exit code and without a message, because the output is complete.
type codeError struct{ code int }

func (codeError) Error() string { return "the exit code is the result" }

// usageError is a mistake in the flags that only the files or the database show.
type usageError struct{ message string }

func (e *usageError) Error() string { return e.message }

// rejectsError means that so many rows would be rejected that a run would fail.
type rejectsError struct{ message string }

func (e *rejectsError) Error() string { return e.message }

// refreshError means that the refresh of a gateway failed.
type refreshError struct{ error }

func (e *refreshError) Unwrap() error { return e.error }

// exitCode returns the exit code of an error.
func exitCode(err error) int {
	var quiet codeError
	var gates *plan.GateError
	switch {
	case errors.As(err, &quiet):
		return quiet.code
	case err == nil:
		return exitOK
	case errors.Is(err, errInterrupted):
		return exitInterrupted
	case is[*shape.Error](err), is[*usageError](err), is[*publish.NotRetainedError](err), is[*publish.UnknownError](err),
		is[*publish.IDKindError](err), errors.Is(err, sql.ErrURL):
		return exitUsage
	case errors.As(err, &gates):
		return gateExits[gates.First()]
	case is[*rejectsError](err):
		return gateExits[plan.Rejects]
	case is[*dump.OversizeError](err):
		return gateExits[plan.DocumentSize]
	case is[*source.FileError](err):
		return exitOfFiles(err)
	case is[*publish.HeldError](err):
		return exitHeld
	case is[*publish.OnHoldError](err):
		return exitOnHold
	case is[*refreshError](err) && !is[*publish.DatabaseError](err):
		return exitRefresh
	case is[*publish.DatabaseError](err):
		return exitDatabase
	}
	return exitUnexpected
}

func is[E error](err error) bool {
	var target E
	return errors.As(err, &target)
}

// gateError returns err, but converts a *dump.OversizeError to the failure of the gate document-size.
func gateError(err error) error {
	var oversize *dump.OversizeError
	if !errors.As(err, &oversize) {
		return err
	}
	return plan.Oversize(oversize.Limit, oversize.Error())
}

// exitOfFiles returns the exit code for unusable files: that of a gate only if every mistake could be accepted.
func exitOfFiles(err error) int {
	code := 0
	for _, e := range fileErrors(err) {
		of, known := gateExits[plan.Gate(e.Kind)]
		if !known {
			return exitFiles
		}
		if code == 0 || of < code {
			code = of
		}
	}
	return code
}

// fileErrors returns every FileError in a tree of errors.
func fileErrors(err error) []*source.FileError {
	if joined, ok := err.(interface{ Unwrap() []error }); ok {
		var all []*source.FileError
		for _, e := range joined.Unwrap() {
			all = append(all, fileErrors(e)...)
		}
		return all
	}
	if e, ok := any(err).(*source.FileError); ok { // errors.As would search the same tree again
		return []*source.FileError{e}
	}
	if inner := errors.Unwrap(err); inner != nil {
		return fileErrors(inner)
	}
	return nil
}
