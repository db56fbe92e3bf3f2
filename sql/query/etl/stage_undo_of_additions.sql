insert into "pg_temp"."removed" ("id")
select u."id"
from (
    select distinct on ("id") "id", "kind"
    from "catalog".:"change"
    where "collection" = $1 and "generation" = $2 and "document" = $3 and "run_id" > $4
    order by "id", "run_id"
) u
join "catalog".:"table" d on d."id" = u."id"
where u."kind" = 'added'
