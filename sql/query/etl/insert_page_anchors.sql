insert into "catalog".:"page_anchor" ("collection", "generation", "page", "first_id")
select $1, $2, n."number" / $3::bigint, n."id"
from (
    select "id", row_number() over (order by "id") - 1 as "number"
    from "catalog".:"table"
) n
where n."number" % $3::bigint = 0
