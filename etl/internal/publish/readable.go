package publish

import (
	"context"
	"fmt"
	"strings"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"

	"systemscale/sql"
)

// UnreadableError means that a role that reads published documents, such as the API's, could not read those of the run.
type UnreadableError struct {
	Role   string
	Schema bool     // the role may not use the schema
	Tables []string // that it may not read, in the schema
}

func (e *UnreadableError) Error() string {
	role := pgx.Identifier{e.Role}.Sanitize()
	var missing, remedy []string
	if e.Schema {
		missing = append(missing, "use the schema catalog")
		remedy = append(remedy, "grant usage on schema catalog to "+role)
	}
	if len(e.Tables) > 0 {
		missing = append(missing, "read catalog."+strings.Join(e.Tables, ", catalog."))
		quoted := make([]string, len(e.Tables))
		for i, table := range e.Tables {
			quoted[i] = pgx.Identifier{"catalog", table}.Sanitize()
		}
		remedy = append(remedy, fmt.Sprintf("grant select on %s to %s", strings.Join(quoted, ", "), role))
	}
	return fmt.Sprintf("the role %s may not %s, so the API could not serve what this run publishes: nothing is published. "+
		"As the owner, or a superuser: %s",
		e.Role, strings.Join(missing, ", nor "), strings.Join(remedy, "; "))
}

// querier is a connection or a transaction.
type querier interface {
	Query(ctx context.Context, statement string, arguments ...any) (pgx.Rows, error)
	QueryRow(ctx context.Context, statement string, arguments ...any) pgx.Row
	Exec(ctx context.Context, statement string, arguments ...any) (pgconn.CommandTag, error)
}

// unreadable is a table, or for an empty name the schema, that a role may not read.
type unreadable struct {
	Role      string
	Table     string
	Grantable bool
}

// makeReadable grants the reading roles the right to read the tables of the endpoints. The error is an *UnreadableError if a role still
// lacks a right.
func makeReadable(ctx context.Context, q querier, collection string, generation int64, endpoints []sql.Endpoint) error {
	tables := make([]string, len(endpoints))
	for i, d := range endpoints {
		tables[i] = sql.DocumentTable(collection, d.Name, generation)
	}
	parts := idParts(endpoints)
	missing, err := selectUnreadable(ctx, q, tables, parts)
	if err != nil {
		return err
	}
	granted := false
	for _, m := range missing {
		if !m.Grantable {
			continue
		}
		if _, err := q.Exec(ctx, sql.QueryFor("etl/grant_reading", "table", m.Table, "reader", m.Role)); err != nil {
			return fmt.Errorf("grant %s to read catalog.%s: %w", m.Role, m.Table, err)
		}
		granted = true
	}
	if granted {
		if missing, err = selectUnreadable(ctx, q, tables, parts); err != nil {
			return err
		}
	}
	if len(missing) == 0 {
		return nil
	}
	refused := &UnreadableError{Role: missing[0].Role}
	for _, m := range missing {
		switch {
		case m.Role != refused.Role: // reported by the next run
		case m.Table == "":
			refused.Schema = true
		default:
			refused.Tables = append(refused.Tables, m.Table)
		}
	}
	return refused
}

func selectUnreadable(ctx context.Context, q querier, tables []string, idParts int) ([]unreadable, error) {
	statement := sql.QueryFor("etl/select_unreadable", "page_anchor", sql.AnchorTable(idParts), "change", sql.ChangeTable(idParts))
	rows, err := q.Query(ctx, statement, tables)
	if err != nil {
		return nil, fmt.Errorf("check which roles may read the published documents: %w", err)
	}
	missing, err := pgx.CollectRows(rows, pgx.RowToStructByPos[unreadable])
	if err != nil {
		return nil, fmt.Errorf("check which roles may read the published documents: %w", err)
	}
	return missing, nil
}
