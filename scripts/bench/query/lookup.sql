-- The query of one request, for pgbench and for the plain handler.
select "etag", "body"
from "catalog".:"table"
where "id" = $1
