-- The sessions with a lock on a table of the schema, for an error message after a lock timeout.
select distinct l."pid", coalesce(a."usename", '')
from "pg_catalog"."pg_locks" l
join "pg_catalog"."pg_class" t on t."oid" = l."relation"
left join "pg_catalog"."pg_stat_activity" a on a."pid" = l."pid"
where l."granted" and l."pid" <> pg_backend_pid() and t."relnamespace" in (to_regnamespace('catalog'), to_regnamespace($1))
  and l."database" = (select d."oid" from "pg_catalog"."pg_database" d where d."datname" = current_database())
order by 1
limit 5
