-- The tables that nobody may need again. The generation at the end of a table's name is the id of the run that made it; the
-- run says whose it is and how it ended. Kept are the live generation, the one before it, and those of runs at work.
-- One statement sees one moment: a run that publishes meanwhile is at work in it.
with "document_table" as (
    select t."tablename", r."id", r."state"
    from "pg_catalog"."pg_tables" t
    join "catalog"."run" r on r."id" = substring(t."tablename" from '_g([0-9]+)$')::bigint
    where t."schemaname" = 'catalog' and r."collection" = $1
), "live" as (
    select "generation" from "catalog"."version" where "collection" = $1
), "before" as (
    select max(d."id") as "generation"
    from "document_table" d
    join "live" on d."id" < "live"."generation"
    where d."state" = 'published'
)
select d."id", d."tablename"
from "document_table" d
where d."state" <> 'running'
  and not exists (select from "live" where "live"."generation" = d."id")
  and not exists (select from "before" where "before"."generation" = d."id")
order by d."id", d."tablename"
