-- A published document.
select "body"
from "catalog".:"table"
where "id" = $1
