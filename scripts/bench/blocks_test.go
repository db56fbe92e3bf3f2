package main

import (
	"testing"

	"systemscale/scripts/measure/workspace"
	"systemscale/sql"
	"systemscale/sql/testdb"
)

// A lookup visits one block on each level of the primary key and one of the table, whatever the number of documents is: not one more.
func TestLookupsVisitOneBlockPerLevel(t *testing.T) {
	database := testdb.New(t)
	admin := testdb.Connect(t, database.AdminURL)
	etl := testdb.Connect(t, database.ETL)
	exec := func(statement string, args ...any) {
		t.Helper()
		if _, err := etl.Exec(t.Context(), statement, args...); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := admin.Exec(t.Context(), query("create_pageinspect")); err != nil {
		t.Fatal(err)
	}
	levels := map[int]bool{}
	for generation, documents := range []int{100, 10_000, 200_000} {
		table := sql.DocumentTable("products", "styles", int64(generation+1))
		exec(sql.QueryFor("etl/create_document_table", "table", table))
		exec(query("fill_table", "table", table), documents)
		exec(sql.QueryFor("etl/create_primary_key", "table", table, "constraint", table+"_pkey"))
		exec(query("stop_autovacuum", "table", table))
		exec(sql.QueryFor("etl/vacuum_table", "table", table))

		var rows, tableBytes, indexBytes int64
		var level int
		if err := admin.QueryRow(t.Context(), query("table_size"), table).Scan(&rows, &tableBytes, &indexBytes, &level); err != nil {
			t.Fatal(err)
		}
		if rows != int64(documents) || tableBytes <= 0 || indexBytes <= 0 {
			t.Errorf("%d documents: %d rows, %d bytes and %d bytes of the primary key", documents, rows, tableBytes, indexBytes)
		}
		levels[level] = true
		const lookups = 1000
		got, err := visit(t.Context(), admin, database.API, table, ids(documents, lookups, 1))
		if err != nil {
			t.Fatal(err)
		}
		// The first lookup of a connection also visits the block with the address of the root, and so does one after another test has
		// made the connection forget it.
		if want := int64(level+1)*lookups + lookups/100; got.Index > want || got.Heap != lookups {
			t.Errorf("%d documents: %d lookups visited %d blocks of the primary key and %d of the table, want at most %d and %d",
				documents, lookups, got.Index, got.Heap, want, lookups)
		}
	}
	if len(levels) != 3 {
		t.Errorf("the primary keys have the levels %v, want three different ones", levels)
	}
}

func TestUniformTrafficEnds(t *testing.T) {
	paths := map[string]bool{}
	for u, count := newUniform(0, 1, 2, 6), 0; ; count++ {
		request := u.Next()
		if request == nil {
			if count != 6 {
				t.Errorf("%d requests, want 6", count)
			}
			break
		}
		paths[string(request)] = true
	}
	if len(paths) < len(documentPaths) {
		t.Errorf("the requests are %v, want all %d documents", paths, len(documentPaths))
	}
}

func TestSuperuserURL(t *testing.T) {
	w := workspace.Workspace{Admin: "postgres://root:secret@127.0.0.1:5432/postgres"}
	if got, want := w.SuperuserURL(), "postgres://root:secret@127.0.0.1:5432/bench"; got != want {
		t.Errorf("SuperuserURL = %q, want %q", got, want)
	}
}
