-- Never moves back, even if two processes refresh the same gateway at once.
insert into "catalog"."gateway" ("address", "collection", "run_id")
values ($1, $2, $3)
on conflict ("address", "collection") do update set "run_id" = excluded."run_id", "refreshed_at" = now()
where "gateway"."run_id" < excluded."run_id"
