-- One row: the version that the documents belong to, from the same moment as they, and the documents. The version is null
-- when another generation is live by now; this one does not change any more.
select v."run_id", v."published_at", array(
    select d."body"
    from "catalog".:"table" d
    where d."id" >= (
        select a."first_id"
        from "catalog"."page_anchor" a
        where a."collection" = $1 and a."generation" = $2 and a."page" = $3
    )
    order by d."id"
    offset $4
    limit $5
)
from (select) one
left join "catalog"."version" v on v."collection" = $1 and v."generation" = $2
