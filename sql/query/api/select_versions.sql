select "collection", "generation", "run_id", "documents", "published_at"
from "catalog"."version"
order by "collection"
