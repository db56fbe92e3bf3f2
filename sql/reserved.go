package sql

import (
	"errors"
	"fmt"
	"regexp"
)

// reserved are the names that no collection may have, with what is at these addresses: a collection would take them over, or never be reached.
var reserved = map[string]string{
	"api":  "the prefix /api/ of every address",
	"fec2": "the prefix /api/fec2/ of every address",

	"item":   "the storefront's product pages",
	"assets": "the storefront's files",
	"docs":   "the documentation",

	ChangesPath: "the change feed of a collection",

	// On ports of their own, for operators. A probe that asks the wrong port must not find a collection there.
	"live":    "a health check",
	"ready":   "a health check",
	"metrics": "the API's metrics",
	"version": "the API's version",
	"status":  "the gateway's status",
	"cached":  "the gateway's refresh endpoint",
	"refresh": "the gateway's refresh endpoint",
	"lists":   "the gateway's refresh endpoint",
}

// ChangesPath is where a collection's change feed is: /{collection}/changes. No document may have this path.
const ChangesPath = "changes"

// nameForm is what a collection and a document may be called.
var nameForm = regexp.MustCompile(`^[a-z][a-z0-9_]*$`)

// IsName reports whether a collection or a document may be called so, as far as the names of their tables go.
func IsName(name string) bool { return nameForm.MatchString(name) && len(name) <= MaxNameLength }

// ReservedFor returns what is at the addresses of a collection that may not be called so, or "" if it may.
func ReservedFor(collection string) string { return reserved[collection] }

// CheckCollection returns why a collection may not be called so, or nil. The shape file's reader asks with better messages; this is for
// what is in the tables already.
func CheckCollection(name string) error {
	if !IsName(name) {
		return errors.New("such a name cannot be published")
	}
	if use := ReservedFor(name); use != "" {
		return fmt.Errorf("the name is reserved for %s", use)
	}
	return nil
}
