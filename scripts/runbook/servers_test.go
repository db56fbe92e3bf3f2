package runbook

import (
	"net/url"
	"strings"
	"testing"

	"systemscale/sql/testdb"
)

// at returns the URLs of a database on other servers that have the same roles.
func at(t *testing.T, database testdb.Database, servers ...*testdb.Server) testdb.Database {
	t.Helper()
	var addresses []string
	for _, server := range servers {
		addresses = append(addresses, server.Address)
	}
	return atAddresses(t, database, addresses...)
}

func atAddresses(t *testing.T, database testdb.Database, addresses ...string) testdb.Database {
	t.Helper()
	move := func(databaseURL string) string {
		t.Helper()
		parsed, err := url.Parse(databaseURL)
		if err != nil {
			t.Fatal(err)
		}
		parsed.Host = strings.Join(addresses, ",")
		return parsed.String()
	}
	return testdb.Database{AdminURL: move(database.AdminURL), ETL: move(database.ETL), API: move(database.API)}
}
