-- The newest runs of a collection, the newest first.
select r."id", r."state", r."mode", r."started_at", r."finished_at", coalesce(r."verdict", ''), coalesce(r."error", ''),
       r."sources", r."documents", exists (select from "catalog"."version" v where v."collection" = r."collection" and v."run_id" = r."id")
from "catalog"."run" r
where r."collection" = $1
order by r."id" desc
limit $2
