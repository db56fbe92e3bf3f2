-- An index-only scan. The first column is a constant that identifies the statement.
select :'identity'::bigint, "id", "etag"
from "catalog".:"table"
where "id" = any ($1)
