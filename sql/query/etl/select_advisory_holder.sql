-- The session with an advisory lock, and whether its role can write to a table. Any role can take such a lock, so the lock of a read-only
-- role is ignored. $1 is the key, $2 the table.
select l."pid", coalesce(a."usename", ''), a."usesysid" is null or t."oid" is null
       or pg_has_role(a."usesysid", t."relowner", 'member') or has_table_privilege(a."usesysid", t."oid", 'insert')
from "pg_catalog"."pg_locks" l
left join "pg_catalog"."pg_stat_activity" a on a."pid" = l."pid"
left join "pg_catalog"."pg_class" t on t."oid" = to_regclass($2)
where l."locktype" = 'advisory' and l."granted" and l."objsubid" = 1 and l."pid" <> pg_backend_pid()
  and l."database" = (select d."oid" from "pg_catalog"."pg_database" d where d."datname" = current_database())
  and l."classid"::bigint = ($1::bigint >> 32) & 4294967295 and l."objid"::bigint = $1::bigint & 4294967295
limit 1
