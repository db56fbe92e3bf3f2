-- One row: a constant that identifies the statement; $7, which identifies the request; the live version; and the changes from version $2
-- to it that follow the change named by $3, $4 and $5, which must belong to a later version. It is null if the change log is incomplete.
-- The log is complete if version $2 is kept and all versions since are in the live tables.
-- Addresses have ids percent-encoded, as sql.ID.AppendPath writes them. In a query, a slash is encoded, too.
select :'identity'::bigint, $7::bigint, v."run_id", v."published_at", case when k."complete" then jsonb_build_object(
    'collection', v."collection",
    'since', $2,
    'version', v."run_id",
    'changes', coalesce(p."changes", '[]'),
    'next', case when p."more" then format('/%s/changes?since=%s&after=%s.%s.%s&count=%s', v."collection", $2, p."run_id", p."document", p."encoded_id", $6) end
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
           (array_agg(c."encoded_id" order by c."number"))[$6] as "encoded_id"
    from (
        select row_number() over (order by l."run_id", l."document", l."id") as "number", l."run_id", l."document", replace(e."id", '/', '%2F') as "encoded_id",
               jsonb_build_object(
                   'version', l."run_id", 'document', l."document", 'id', l."id", 'kind', l."kind",
                   'path', case when not coalesce((d."declared" ->> 'list')::boolean, false)
                       then '/' || v."collection" || '/' || e."id" || coalesce('/' || nullif(d."declared" ->> 'path', ''), '') end
               ) as "change"
        from "catalog".:"change" l
        join jsonb_array_elements(v."documents") d("declared") on d."declared" ->> 'name' = l."document"
        cross join lateral (
            select case when l."id"::text ~ '^[A-Za-z0-9._~/-]*$' then l."id"::text else (
                select string_agg(case
                    when b."byte" between 48 and 57 or b."byte" between 65 and 90 or b."byte" between 97 and 122
                        or b."byte" in (45, 46, 47, 95, 126) then chr(b."byte")
                    else '%' || upper(lpad(to_hex(b."byte"), 2, '0'))
                end, '' order by b."at")
                from (
                    select a."at", get_byte(convert_to(l."id"::text, 'UTF8'), a."at")
                    from generate_series(0, octet_length(l."id"::text) - 1) a("at")
                ) b("at", "byte")
            ) end
        ) e("id")
        where k."complete" and l."collection" = $1 and l."run_id" <= v."run_id"
          and (l."run_id", l."document", l."id") > ($3, $4, $5)
        order by l."run_id", l."document", l."id"
        limit $6 + 1
    ) c
) p
where v."collection" = $1
