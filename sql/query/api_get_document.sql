select "etag", "body"
from "catalog".:"table"
where "id" = $1
