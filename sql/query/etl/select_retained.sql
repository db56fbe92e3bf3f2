-- The versions to which a rollback is possible, the newest first.
select "id", "generation", "endpoints", "documents", "shape", "finished_at"
from "catalog"."run"
where "collection" = $1 and "generation" is not null
order by "id" desc
