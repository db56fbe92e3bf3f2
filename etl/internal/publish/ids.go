package publish

import (
	"context"
	"fmt"

	"github.com/dustin/go-humanize/english"
	"github.com/jackc/pgx/v5"

	"systemscale/sql"
)

// IDKindError means that the ids of a shape are of another kind than those of the published version. The tables of a collection, its change
// log and its addresses are made for one kind.
type IDKindError struct {
	Collection          string
	Published, Rendered int // parts: see sql.Endpoint
}

func (e *IDKindError) Error() string {
	return fmt.Sprintf("the ids of the shape are %s, and those of the published version of %s are %s: nothing is published. "+
		"Publish under another name (collection: in the shape file), or remove the published version first with etl drop %s",
		kindOfIDs(e.Rendered), e.Collection, kindOfIDs(e.Published), e.Collection)
}

func kindOfIDs(parts int) string {
	switch parts {
	case 0:
		return "integers"
	case 1:
		return "texts"
	}
	return "texts of " + english.Plural(parts, "part", "")
}

// CheckIDs returns an *IDKindError unless the ids of rendered endpoints are of the same kind as those of the published ones, if there are any.
func CheckIDs(collection string, published, rendered []sql.Endpoint) error {
	before, after := idParts(published), idParts(rendered)
	if before == after || len(published) == 0 || len(rendered) == 0 {
		return nil
	}
	return &IDKindError{Collection: collection, Published: before, Rendered: after}
}

// idParts returns the number of parts of the ids of a collection with these endpoints.
func idParts(endpoints []sql.Endpoint) int {
	if len(endpoints) == 0 {
		return 0
	}
	return endpoints[0].IDParts
}

func createDocumentTable(ctx context.Context, conn *pgx.Conn, table string, idParts int) error {
	statement := sql.QueryFor("etl/create_document_table", "table", table)
	if idParts > 0 {
		statement = sql.QueryFor("etl/create_text_document_table", "table", table)
	}
	if _, err := conn.Exec(ctx, statement); err != nil {
		return fmt.Errorf("create the table %s: %w", table, err)
	}
	return nil
}

func createStaging(ctx context.Context, tx pgx.Tx, idParts int) error {
	statement := sql.Query("etl/create_staging")
	if idParts > 0 {
		statement = sql.Query("etl/create_text_staging")
	}
	if _, err := tx.Exec(ctx, statement); err != nil {
		return fmt.Errorf("create the staging tables: %w", err)
	}
	return nil
}
