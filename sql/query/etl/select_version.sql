select v."run_id", v."generation", v."documents",
       (select coalesce(sum((d ->> 'rows')::bigint), 0)::bigint from jsonb_array_elements(r."documents") d)
from "catalog"."version" v
join "catalog"."run" r on r."id" = v."run_id"
where v."collection" = $1
