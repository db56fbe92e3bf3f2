package server

import "errors"

// Errors of requests.
var (
	errNoSuchAddress    = errors.New("no such address")
	errBadID            = errors.New("bad id")
	errBadPage          = errors.New("bad page")
	errBadCount         = errors.New("bad count")
	errBadSince         = errors.New("bad since")
	errBadAfter         = errors.New("bad after")
	errMethod           = errors.New("method not allowed")
	errNothingPublished = errors.New("nothing is published")

	errMalformed          = errors.New("malformed request")
	errTooManyConnections = errors.New("too many connections")
	errUnexpected         = errors.New("unexpected")

	errNoNumber = errors.New("no positive number")
	errNoCursor = errors.New("no cursor")
	errTooLarge = errors.New("number too large")
)
