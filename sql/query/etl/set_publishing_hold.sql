insert into "catalog"."hold" ("collection", "reason", "author", "sources")
values ($1, $2, $3, $4)
on conflict ("collection") do update
set "reason" = excluded."reason", "author" = excluded."author", "since" = now(), "sources" = excluded."sources"
