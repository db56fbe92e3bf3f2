-- Releases all versions except the newest $2 and the live one. A later step drops their tables and their part of the change log.
update "catalog"."run" r
set "generation" = null
where r."collection" = $1 and r."generation" is not null
  and not exists (select from "catalog"."version" v where v."collection" = $1 and v."run_id" = r."id")
  and r."id" not in (
      select k."id"
      from "catalog"."run" k
      where k."collection" = $1 and k."generation" is not null
      order by k."id" desc
      limit $2
  )
