-- The sources of the newest run whose files were accepted.
select "id", "sources"
from "catalog"."run"
where "collection" = $1 and "state" in ('published', 'unchanged') and "sources" <> '[]'
order by "id" desc
limit 1
