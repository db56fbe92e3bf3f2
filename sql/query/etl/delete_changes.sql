-- Nobody can return to before the oldest version that is kept, so what led up to it is of no use.
delete from "catalog"."change"
where "collection" = $1
  and "run_id" <= (select min("id") from "catalog"."run" where "collection" = $1 and "generation" is not null)
