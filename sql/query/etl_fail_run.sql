update "catalog"."run"
set "state" = 'failed', "finished_at" = now(), "sources" = $2, "error" = $3
where "id" = $1 and "state" = 'running'
