-- What a run changed in the tables of a generation.
select "document", "id"
from "catalog".:"change"
where "collection" = $1 and "run_id" = $2 and "generation" = $3
limit $4
