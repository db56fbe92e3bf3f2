insert into "catalog".:"table" ("id", "etag", "body")
select "id", "etag", "body"
from "pg_temp"."staged"
on conflict ("id") do update set "etag" = excluded."etag", "body" = excluded."body"
