select "tablename"
from "pg_catalog"."pg_tables"
where "schemaname" = 'catalog' and "tablename" ~ $1
order by "tablename"
