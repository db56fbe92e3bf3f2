package store

import "errors"

// Errors of a lookup. Any other error is a defect of this program or of its database.
var (
	ErrNotFound    = errors.New("no such document")
	ErrTimeout     = errors.New("the database did not respond in time")
	ErrOverloaded  = errors.New("too many lookups are waiting")
	ErrUnavailable = errors.New("no connection to the database")

	// ErrUnreadable means that the store's role lacks the privilege to read a published table.
	ErrUnreadable = errors.New("the API's role cannot read the published version; see the log")

	// ErrBadCursor means that a cursor is not after the version since which changes are listed, or that it is after the live version.
	ErrBadCursor = errors.New("invalid cursor")

	// ErrHistoryTooShort means that the change log does not contain all changes since a version.
	ErrHistoryTooShort = errors.New("the change log does not go back that far")
)

// Errors of Ready.
var (
	ErrNeverConnected = errors.New("no connection to the database yet")
	ErrNotPublished   = errors.New("no version is published")
	ErrDatabaseLost   = errors.New("the connection to the database is lost")
)
