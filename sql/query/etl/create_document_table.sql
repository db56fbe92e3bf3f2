-- The API may not read it yet, and so not lock it either: etl/create_primary_key.sql grants that.
-- A run that changes one row in a hundred leaves as many dead ones: vacuumed early, the etags stay readable from the index alone.
-- Nothing is searched by body, and statistics of it cost most of an analyze.
create table "catalog".:"table" (
    "id"   bigint not null,
    "etag" bigint not null,
    "body" jsonb compression lz4 not null
) with (autovacuum_vacuum_scale_factor = 0.02);
alter table "catalog".:"table" alter column "body" set statistics 0;
revoke all on table "catalog".:"table" from "systemscale_api"
