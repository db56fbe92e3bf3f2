-- One primary-key lookup per id. The first column is a constant that identifies the statement.
select :'identity'::bigint, "id", "etag", "body"
from "catalog".:"table"
where "id" = any ($1)
