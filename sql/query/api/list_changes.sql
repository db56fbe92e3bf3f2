-- One row: a constant that identifies the statement; $7, which identifies the request; the live version; and the changes from version $2
-- to it that follow the change named by $3, $4 and $5, which must belong to a later version. It is null if the change log is incomplete.
-- The log is complete if version $2 is kept and all versions since are in the live tables.
select :'identity'::bigint, $7::bigint, v."run_id", v."published_at", case when k."complete" then jsonb_build_object(
    'collection', v."collection",
    'since', $2,
    'version', v."run_id",
    'changes', coalesce(p."changes", '[]'),
    'next', case when p."more" then format('/%s/changes?since=%s&after=%s.%s.%s&count=%s', v."collection", $2, p."run_id", p."document", p."id", $6) end
) end
from "catalog"."version" v
cross join lateral (
    select $2 between min(r."id") and v."run_id"
       and bool_and(r."generation" = v."generation") filter (where r."id" >= (
           select max(s."id")
           from "catalog"."run" s
           where s."collection" = $1 and s."state" = 'published' and s."id" <= $2
       )) as "complete"
    from "catalog"."run" r
    where r."collection" = $1 and r."generation" is not null
) k
cross join lateral (
    select jsonb_agg(c."change" order by c."number") filter (where c."number" <= $6) as "changes",
           count(*) > $6 as "more",
           (array_agg(c."run_id" order by c."number"))[$6] as "run_id",
           (array_agg(c."document" order by c."number"))[$6] as "document",
           (array_agg(c."id" order by c."number"))[$6] as "id"
    from (
        select row_number() over (order by l."run_id", l."document", l."id") as "number", l."run_id", l."document", l."id",
               jsonb_build_object(
                   'version', l."run_id", 'document', l."document", 'id', l."id", 'kind', l."kind",
                   'path', case when not coalesce((d."declared" ->> 'list')::boolean, false)
                       then '/' || v."collection" || '/' || l."id" || coalesce('/' || nullif(d."declared" ->> 'path', ''), '') end
               ) as "change"
        from "catalog"."change" l
        join jsonb_array_elements(v."documents") d("declared") on d."declared" ->> 'name' = l."document"
        where k."complete" and l."collection" = $1 and l."run_id" <= v."run_id"
          and (l."run_id", l."document", l."id") > ($3, $4, $5)
        order by l."run_id", l."document", l."id"
        limit $6 + 1
    ) c
) p
where v."collection" = $1
