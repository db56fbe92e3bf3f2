-- The key of the etags, and the hash function of the etags in the tables of generation $1.
select "key", coalesce((select r."etag_hash" from "catalog"."run" r where r."id" = $1), '')
from "catalog"."etag_key"
