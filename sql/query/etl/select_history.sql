select r."id", r."started_at", r."finished_at", r."state", r."mode", r."holder", r."verdict", r."error", r."shape",
       r."sources", r."documents", r."plan", r."gates",
       exists (select from "catalog"."version" v where v."collection" = r."collection" and v."run_id" = r."id") as "live",
       r."generation" is not null as "retained"
from "catalog"."run" r
where r."collection" = $1
order by r."id" desc
limit $2
