-- The versions of a collection up to run $2 since which the change log is complete, the newest first: run and time. A
-- version's time is that in its version row. The last row is the run that created generation $3, with the time of its start.
(
    select r."id", coalesce(v."published_at", r."finished_at", r."started_at")
    from "catalog"."run" r
    left join "catalog"."version" v on v."run_id" = r."id"
    where r."collection" = $1 and (r."state" = 'published' or v."run_id" is not null) and r."id" <= $2
      and (r."id" >= (
          select min(k."id")
          from "catalog"."run" k
          where k."collection" = $1 and k."generation" is not null
      ) or r."id" = $2)
    order by r."id" desc
    limit $4
)
union all
select g."id", g."started_at"
from "catalog"."run" g
where g."id" = $3
