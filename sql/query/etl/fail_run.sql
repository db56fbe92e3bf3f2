-- The row lock decides: the update waits for a transaction that is committing, and returns its result.
update "catalog"."run"
set "error"       = case "state" when 'running' then $2 else "error" end,
    "sources"     = case "state" when 'running' then coalesce($3, "sources") else "sources" end,
    "plan"        = case "state" when 'running' then $4 else "plan" end,
    "gates"       = case "state" when 'running' then $5 else "gates" end,
    "verdict"     = case "state" when 'running' then $6 else "verdict" end,
    "shape"       = case "state" when 'running' then $7 else "shape" end,
    "finished_at" = case "state" when 'running' then now() else "finished_at" end,
    "state"       = case "state" when 'running' then 'failed' else "state" end
where "id" = $1
returning "state"
