select "id", "holder", "started_at"
from "catalog"."run"
where "collection" = $1 and "state" = 'running'
order by "id" desc
limit 1
