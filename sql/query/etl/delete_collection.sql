-- All rows of a collection that has neither a version nor tables.
with "anchors" as (
    delete from "catalog"."page_anchor" where "collection" = $1
), "text_anchors" as (
    delete from "catalog"."text_page_anchor" where "collection" = $1
), "changes" as (
    delete from "catalog"."change" where "collection" = $1
), "text_changes" as (
    delete from "catalog"."text_change" where "collection" = $1
), "holds" as (
    delete from "catalog"."hold" where "collection" = $1
), "bookmarks" as (
    delete from "catalog"."gateway" where "collection" = $1
)
delete from "catalog"."run" where "collection" = $1
