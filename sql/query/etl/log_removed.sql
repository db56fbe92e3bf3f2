insert into "catalog".:"change" ("collection", "generation", "run_id", "document", "id", "kind", "old_etag", "old_body")
select $1, $2, $3, $4, r."id", 'removed', d."etag", d."body"
from "pg_temp"."removed" r
join "catalog".:"table" d on d."id" = r."id"
