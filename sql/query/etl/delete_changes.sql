-- A rollback cannot go beyond the oldest version that is kept, so earlier changes are not needed.
delete from "catalog".:"change"
where "collection" = $1
  and "run_id" <= (select min("id") from "catalog"."run" where "collection" = $1 and "generation" is not null)
