-- The generation at the end of a table's name is the id of the run that made it, and the run says whose it is.
select t."tablename", r."id"
from "pg_catalog"."pg_tables" t
join "catalog"."run" r on r."id" = substring(t."tablename" from '_g([0-9]+)$')::bigint
where t."schemaname" = 'catalog' and r."collection" = $1
order by r."id", t."tablename"
