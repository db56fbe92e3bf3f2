-- As etl/create_document_table.sql, for ids that are texts.
create table "catalog".:"table" (
    "id"   text collate "C" not null,
    "etag" bigint not null,
    "body" jsonb compression lz4 not null
) with (autovacuum_vacuum_scale_factor = 0.02);
alter table "catalog".:"table" alter column "body" set statistics 0;
revoke all on table "catalog".:"table" from "systemscale_api"
