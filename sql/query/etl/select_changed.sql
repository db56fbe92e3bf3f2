select distinct c."document", c."id"
from "catalog".:"change" c
where c."collection" = $1 and c."run_id" > $2 and c."run_id" <= $3 and c."document" = any ($4)
