-- Answered by the index alone.
select "id", "etag"
from "catalog".:"table"
where "id" = any ($1)
