delete from "catalog"."hold"
where "collection" = $1
returning "reason", "author", "since", "sources"
