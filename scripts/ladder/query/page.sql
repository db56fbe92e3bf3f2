-- The published summaries of a page, in their order, as one array.
select coalesce(jsonb_agg(p."body" order by p."id"), '[]')
from (
    select s."id", s."body"
    from "catalog".:"table" s
    order by s."id"
    offset $1
    limit $2
) p
