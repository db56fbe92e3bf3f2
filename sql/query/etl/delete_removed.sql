delete from "catalog".:"table" d
using "pg_temp"."removed" r
where d."id" = r."id"
