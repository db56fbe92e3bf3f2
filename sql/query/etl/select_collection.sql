-- Whether anything of a collection is in the database, its live version if there is one, and the collections that are published.
select exists (select from "catalog"."version" where "collection" = $1)
       or exists (select from "catalog"."run" where "collection" = $1)
       or exists (select from "catalog"."gateway" where "collection" = $1),
       coalesce((select "run_id" from "catalog"."version" where "collection" = $1), 0),
       coalesce((select array_agg("collection" order by "collection") from "catalog"."version"), '{}')
