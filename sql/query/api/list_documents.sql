-- One row: a constant that identifies the statement; $7, which identifies the request; the version; the number of documents; and the
-- documents of the page. All are from one snapshot. The tables contain the version of the last run that wrote to them: the live run, or,
-- if another generation has become live, the last run of this generation. That run has counted the documents.
select :'identity'::bigint, $7::bigint, p."run_id", p."published_at", (
    select (c."document" ->> 'rows')::bigint
    from "catalog"."run" n
    cross join jsonb_array_elements(n."documents") c("document")
    where n."id" = p."run_id" and c."document" ->> 'name' = $6
), array(
    select d."body"
    from "catalog".:"table" d
    where d."id" >= (
        select a."first_id"
        from "catalog".:"page_anchor" a
        where a."collection" = $1 and a."generation" = $2 and a."page" = $3
    )
    order by d."id"
    offset $4
    limit $5
)
from (
    select coalesce(v."run_id", r."id"), coalesce(v."published_at", r."finished_at")
    from (select) one
    left join "catalog"."version" v on v."collection" = $1 and v."generation" = $2
    left join lateral (
        select l."id", l."finished_at"
        from "catalog"."run" l
        where v."run_id" is null and l."collection" = $1 and l."generation" = $2
        order by l."id" desc
        limit 1
    ) r on true
) p("run_id", "published_at")
