delete from "catalog".:"page_anchor"
where "collection" = $1 and "generation" = $2
