package sql

import (
	"errors"
	"fmt"
	"regexp"
)

// reserved maps the names that no collection may have to the use of their address. Such a collection would hide the other use, or
// be hidden by it.
var reserved = map[string]string{
	"api":  "the prefix /api/ of every address",
	"fec2": "the prefix /api/fec2/ of every address",

	"item":   "the storefront's product pages",
	"assets": "the storefront's files",
	"docs":   "the documentation",

	ChangesPath: "the change feed of a collection",

	// Addresses on other ports, for operators. A probe of the wrong port must not reach a collection.
	"live":    "a health check",
	"ready":   "a health check",
	"metrics": "the API's metrics",
	"version": "the API's version",
	"status":  "the gateway's status",
	"cached":  "the gateway's refresh endpoint",
	"refresh": "the gateway's refresh endpoint",
	"lists":   "the gateway's refresh endpoint",
}

// ChangesPath is the path of a collection's change feed, /{collection}/changes. No endpoint may have this path.
const ChangesPath = "changes"

// nameForm is the syntax of the names of collections and endpoints.
var nameForm = regexp.MustCompile(`^[a-z][a-z0-9_]*$`)

// IsName reports whether a collection or an endpoint can have a name, so that the names of its tables are valid.
func IsName(name string) bool { return nameForm.MatchString(name) && len(name) <= MaxNameLength }

// ReservedFor returns the use for which the name of a collection is reserved, or "".
func ReservedFor(collection string) string { return reserved[collection] }

// CheckCollection returns an error unless a collection can have the name. It is for names in the database; the parser of the shape
// file has more specific messages.
func CheckCollection(name string) error {
	if !IsName(name) {
		return errors.New("such a name cannot be published")
	}
	if use := ReservedFor(name); use != "" {
		return fmt.Errorf("the name is reserved for %s", use)
	}
	return nil
}
