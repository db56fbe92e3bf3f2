insert into "catalog".:"table" ("id", "etag", "body")
select n, n, jsonb_build_object('id', n) from generate_series(1, $1::int) as n
