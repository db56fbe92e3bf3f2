select "generation"
from "catalog"."version"
where "collection" = $1
