-- One lookup in the primary key for each id. The first column is a constant that shows which statement the row comes from.
select :'identity'::bigint, "id", "etag", "body"
from "catalog".:"table"
where "id" = any ($1)
