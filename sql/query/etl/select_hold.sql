-- The session that holds a collection, for the message when no run says whose it is.
select l."pid", coalesce(a."usename", '')
from "pg_catalog"."pg_locks" l
left join "pg_catalog"."pg_stat_activity" a on a."pid" = l."pid"
where l."relation" = to_regclass($1) and l."granted"
limit 1
