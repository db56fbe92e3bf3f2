// Package workspace prepares what a measurement needs: the programs, a generated catalog, and a database.
package workspace

import (
	"net/url"
	"path/filepath"
	"strconv"

	"systemscale/sql"
)

// Workspace contains the flags that programs which measure have in common, and the paths and URLs that result from them.
type Workspace struct {
	Products int    `default:"${products_default}" placeholder:"N" help:"Products in the catalog. ${products}"`
	Work     string `default:"${work_default}" placeholder:"DIR" help:"${work} Default: ${default}."`
	Admin    string `env:"TEST_DATABASE_URL" required:"" placeholder:"URL" help:"${admin}"`
}

// Program returns the path of a program that Prepare has built: etl, api or generate.
func (w *Workspace) Program(name string) string { return filepath.Join(w.Work, "bin", name) }

// CSV returns the directory of the catalog.
func (w *Workspace) CSV() string {
	return filepath.Join(w.Work, "csv-spoiled-"+strconv.Itoa(w.Products))
}

// Rejects returns the directory of the rejects of all runs.
func (w *Workspace) Rejects() string { return filepath.Join(w.Work, "rejects") }

// password is not secret: the cluster is temporary, and is reached through a unix socket in a private directory.
const password = "bench"

// ETLURL returns the URL of the database for the ETL's role.
func (w *Workspace) ETLURL() string { return w.url(url.UserPassword(sql.RoleETL, password)) }

// APIURL returns the URL of the database for the API's role.
func (w *Workspace) APIURL() string { return w.url(url.UserPassword(sql.RoleAPI, password)) }

// SuperuserURL returns the URL of the database for the superuser.
func (w *Workspace) SuperuserURL() string { return w.url(nil) }

// url returns the URL of the database for a user, or for that of Admin if it is nil.
func (w *Workspace) url(user *url.Userinfo) string {
	parsed, err := url.Parse(w.Admin)
	if err != nil {
		return w.Admin // connecting reports the error
	}
	if user != nil {
		parsed.User = user
	}
	parsed.Path = "/bench"
	return parsed.String()
}
