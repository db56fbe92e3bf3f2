package main

import (
	"errors"

	"systemscale/etl/internal/publish"
	"systemscale/etl/internal/shape"
	"systemscale/etl/internal/source"
)

// Exit codes, for whatever decides whether somebody is woken.
const (
	exitOK          = 0
	exitUnexpected  = 1
	exitUsage       = 2
	exitFiles       = 3
	exitDatabase    = 4
	exitHeld        = 5
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

// exitCode is the one table from an error to the exit code.
func exitCode(err error) int {
	switch {
	case err == nil:
		return exitOK
	case errors.Is(err, errInterrupted):
		return exitInterrupted
	case is[*shape.Error](err), errors.Is(err, publish.ErrDatabaseURL):
		return exitUsage
	case is[*source.FileError](err):
		return exitFiles
	case is[*publish.HeldError](err):
		return exitHeld
	case is[*databaseError](err):
		return exitDatabase
	}
	return exitUnexpected
}

func is[E error](err error) bool {
	var target E
	return errors.As(err, &target)
}
