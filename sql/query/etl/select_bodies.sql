select "id", "body"
from "catalog".:"table"
where "id" = any ($1)
order by "id"
