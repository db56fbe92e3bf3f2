update "catalog"."run"
set "state" = 'failed', "finished_at" = now(), "error" = 'killed: the run ended without saying why'
where "collection" = $1 and "state" = 'running'
