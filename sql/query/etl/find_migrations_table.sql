-- The schema of the table schema_migrations: public, or current_schema() of an earlier build. A table of this name with other columns
-- belongs to another program.
select n."nspname"
from "pg_catalog"."pg_class" c
join "pg_catalog"."pg_namespace" n on n."oid" = c."relnamespace"
where c."relname" = 'schema_migrations' and c."relkind" = 'r' and n."nspname" in ('public', current_user, session_user)
  and 2 = (select count(*) from "pg_catalog"."pg_attribute" a
           where a."attrelid" = c."oid" and a."attname" in ('version', 'dirty') and not a."attisdropped")
order by n."nspname" = 'public' desc, n."nspname" = current_user desc
limit 1
