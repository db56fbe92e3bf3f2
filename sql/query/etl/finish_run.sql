update "catalog"."run"
set "state" = $2, "mode" = $3, "finished_at" = now(), "generation" = $4, "endpoints" = $5, "documents" = coalesce($6, "documents"),
    "sources" = coalesce($7, "sources"), "plan" = $8, "gates" = $9, "verdict" = $10, "shape" = $11, "etag_hash" = $12
where "id" = $1 and "state" = 'running'
