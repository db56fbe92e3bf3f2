-- Without a version row, the collection has no address. Without generations, all of its tables can be dropped.
with "unpublished" as (
    delete from "catalog"."version" where "collection" = $1
)
update "catalog"."run"
set "generation" = null
where "collection" = $1 and "generation" is not null
