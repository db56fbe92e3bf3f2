-- One lookup in the primary key for each id.
select "id", "etag", "body"
from "catalog".:"table"
where "id" = any ($1)
