-- The live version, the run up to which a gateway is refreshed, and whether the change log has all changes between them. It has them if
-- every version between them is kept and in the same tables. It has neither flips to other tables nor changes before the oldest kept
-- version. A gateway that was never refreshed begins with the version before the live one.
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
        (select g."run_id" from "catalog"."gateway" g where g."collection" = $1 and g."address" = $2),
        (select max(r."id") from "catalog"."run" r where r."collection" = $1 and r."state" = 'published' and r."id" < v."run_id"),
        0
    )
) t("run_id")
where v."collection" = $1
