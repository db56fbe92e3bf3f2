-- The oldest change after a version contains the document of that version. Documents that are equal again are skipped.
insert into "pg_temp"."staged" ("id", "etag", "body")
select u."id", u."old_etag", u."old_body"
from (
    select distinct on ("id") "id", "kind", "old_etag", "old_body"
    from "catalog".:"change"
    where "collection" = $1 and "generation" = $2 and "document" = $3 and "run_id" > $4
    order by "id", "run_id"
) u
left join "catalog".:"table" d on d."id" = u."id"
where u."kind" <> 'added' and d."etag" is distinct from u."old_etag"
