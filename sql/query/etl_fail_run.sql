-- The row is the arbiter: it waits for a flip that is still committing, and says how that ended.
update "catalog"."run"
set "sources"     = case "state" when 'running' then $2 else "sources" end,
    "error"       = case "state" when 'running' then $3 else "error" end,
    "finished_at" = case "state" when 'running' then now() else "finished_at" end,
    "state"       = case "state" when 'running' then 'failed' else "state" end
where "id" = $1
returning "state"
