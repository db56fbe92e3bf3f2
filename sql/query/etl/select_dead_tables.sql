-- The tables that nobody may need again. The generation at the end of a table's name is the id of the run that made it; the
-- run says whose it is. Kept are the live generation, those in which a version lives that is kept, and those of runs at work.
-- One statement sees one moment: a run that publishes meanwhile is at work in it.
with "document_table" as (
    select t."tablename", r."id", r."state"
    from "pg_catalog"."pg_tables" t
    join "catalog"."run" r on r."id" = substring(t."tablename" from '_g([0-9]+)$')::bigint
    where t."schemaname" = 'catalog' and r."collection" = $1
)
select d."id", d."tablename"
from "document_table" d
where d."state" <> 'running'
  and not exists (select from "catalog"."version" v where v."collection" = $1 and v."generation" = d."id")
  and not exists (select from "catalog"."run" k where k."collection" = $1 and k."generation" = d."id")
order by d."id", d."tablename"
