-- The API cannot read the table yet, and so cannot lock it: etl/create_primary_key.sql grants the right.
-- A run that changes one row in a hundred leaves as many dead rows. Early vacuums keep index-only scans of the etags fast.
-- No query searches bodies, and their statistics take most of the time of an analyze.
create table "catalog".:"table" (
    "id"   bigint not null,
    "etag" bigint not null,
    "body" jsonb compression lz4 not null
) with (autovacuum_vacuum_scale_factor = 0.02);
alter table "catalog".:"table" alter column "body" set statistics 0;
revoke all on table "catalog".:"table" from "systemscale_api"
