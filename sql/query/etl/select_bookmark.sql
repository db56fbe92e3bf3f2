-- What is live, up to which run the cache was told, and whether the log has all that changed between: it does if every version from the
-- one to the other is kept and lives in the same tables. A flip to other tables is not in the log, nor is what was cut off behind the oldest
-- version that is kept. A cache that was never told begins with the version before the live one.
select v."run_id", v."documents", t."run_id",
       exists (
           select from "catalog"."run" r
           where r."collection" = $1 and r."id" = t."run_id" and r."generation" = v."generation"
       )
       and not exists (
           select from "catalog"."run" r
           where r."collection" = $1 and r."id" > t."run_id" and r."state" = 'published' and r."generation" is distinct from v."generation"
       )
from "catalog"."version" v
cross join lateral (
    select coalesce(
        (select n."run_id" from "catalog"."cache_node" n where n."collection" = $1 and n."address" = $2),
        (select max(r."id") from "catalog"."run" r where r."collection" = $1 and r."state" = 'published' and r."id" < v."run_id"),
        0
    )
) t("run_id")
where v."collection" = $1
