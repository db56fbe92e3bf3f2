insert into "catalog"."gateway" ("address", "collection", "run_id")
select a."address", $1, $2
from unnest($3::text[]) a("address")
on conflict ("address", "collection") do nothing
