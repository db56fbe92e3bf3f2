insert into "catalog"."version" ("collection", "generation", "run_id", "documents")
values ($1, $2, $3, $4)
on conflict ("collection") do nothing
