insert into "catalog"."run" ("collection", "state", "mode", "holder")
values ($1, 'running', $2, $3)
returning "id"
