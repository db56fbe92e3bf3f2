package main

import (
	"net/url"
	"path/filepath"
	"strconv"

	"systemscale/sql"
)

// environment contains the flags of both benchmarks, and the paths and URLs that result from them.
type environment struct {
	Products int    `default:"1000011" placeholder:"N" help:"Products in the catalog. Default: ${default}, the full size."`
	Work     string `default:".run/bench" placeholder:"DIR" help:"${work} Default: ${default}."`
	Admin    string `env:"TEST_DATABASE_URL" required:"" placeholder:"URL" help:"${admin}"`
}

func (e *environment) program(name string) string { return filepath.Join(e.Work, "bin", name) }

func (e *environment) csv() string {
	return filepath.Join(e.Work, "csv-spoiled-"+strconv.Itoa(e.Products))
}

func (e *environment) rejects() string { return filepath.Join(e.Work, "rejects") }

// password is not secret: the cluster is temporary, and is reached through a unix socket in a private directory.
const password = "bench"

func (e *environment) etlURL() string { return e.url(sql.RoleETL) }

func (e *environment) apiURL() string { return e.url(sql.RoleAPI) }

func (e *environment) url(role string) string {
	parsed, err := url.Parse(e.Admin)
	if err != nil {
		return e.Admin // connecting reports the error
	}
	parsed.User, parsed.Path = url.UserPassword(role, password), "/bench"
	return parsed.String()
}
