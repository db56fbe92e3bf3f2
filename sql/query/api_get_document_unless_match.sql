-- The etag comes from the index alone; the document is touched only when the client's copy is out of date.
select d."etag", (select b."body" from "catalog".:"table" b where b."id" = d."id" and d."etag" <> all ($2::bigint[]))
from "catalog".:"table" d
where d."id" = $1
