-- The query of one request, for pgbench.
select "etag", "body"
from "catalog".:"table"
where "id" = $1
