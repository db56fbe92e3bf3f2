-- What one request costs the database, for pgbench and for the plain handler.
select "etag", "body"
from "catalog".:"table"
where "id" = $1
