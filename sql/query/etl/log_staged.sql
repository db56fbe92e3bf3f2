with "logged" as (
    insert into "catalog".:"change" ("collection", "generation", "run_id", "document", "id", "kind", "old_etag", "old_body")
    select $1, $2, $3, $4, s."id", case when d."id" is null then 'added' else 'changed' end, d."etag", d."body"
    from "pg_temp"."staged" s
    left join "catalog".:"table" d on d."id" = s."id"
    returning "kind"
)
select count(*) filter (where "kind" = 'added'), count(*) filter (where "kind" = 'changed')
from "logged"
