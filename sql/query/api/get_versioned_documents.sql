-- As api/get_documents.sql, with the version that the documents were read from: the first row has no id, and its run and time. Both parts
-- are read from one snapshot. The first column is a constant that identifies the statement.
select :'identity'::bigint, null as "id", v."run_id" as "etag", null::jsonb as "body", v."published_at"
from "catalog"."version" v
where v."collection" = :'collection'
union all
select :'identity'::bigint, d."id", d."etag", d."body", null
from "catalog".:"table" d
where d."id" = any ($1)
