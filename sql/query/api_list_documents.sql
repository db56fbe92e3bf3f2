select "body"
from "catalog".:"table"
where "id" >= (
    select "first_id"
    from "catalog"."page_anchor"
    where "collection" = $1 and "generation" = $2 and "page" = $3
)
order by "id"
offset $4
limit $5
