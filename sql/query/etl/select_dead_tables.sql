-- The tables that no version needs. The generation at the end of a table's name is the id of the run that created it, and that run has
-- the collection. The live generation, those of kept versions, and those of running runs are not dead.
-- One statement has one snapshot, in which a run that publishes meanwhile is still running.
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
