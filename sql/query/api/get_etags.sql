-- Answered by the index alone. The first column is a constant that shows which statement the row comes from.
select :'identity'::bigint, "id", "etag"
from "catalog".:"table"
where "id" = any ($1)
