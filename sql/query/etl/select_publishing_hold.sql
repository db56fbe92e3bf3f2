select "reason", "author", "since", "sources"
from "catalog"."hold"
where "collection" = $1
