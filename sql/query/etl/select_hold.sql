-- The session that holds a collection, for an error message if no run names it.
select l."pid", coalesce(a."usename", '')
from "pg_catalog"."pg_locks" l
left join "pg_catalog"."pg_stat_activity" a on a."pid" = l."pid"
where l."relation" = to_regclass($1) and l."granted"
limit 1
