update "catalog"."version"
set "generation" = $2, "run_id" = $3, "documents" = $4, "published_at" = now()
where "collection" = $1 and "run_id" = $5
