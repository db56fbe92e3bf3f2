update "catalog"."run"
set "state" = 'published', "finished_at" = now(), "sources" = $2, "documents" = $3
where "id" = $1 and "state" = 'running'
