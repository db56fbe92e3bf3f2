-- Never moves back, even if two processes refresh the same gateway at once.
insert into "catalog"."cache_node" ("address", "collection", "run_id")
values ($1, $2, $3)
on conflict ("address", "collection") do update set "run_id" = excluded."run_id", "refreshed_at" = now()
where "cache_node"."run_id" < excluded."run_id"
