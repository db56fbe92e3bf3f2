select "run_id"
from "catalog"."version"
where "collection" = $1
