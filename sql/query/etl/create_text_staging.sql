-- As etl/create_staging.sql, for ids that are texts.
create temporary table "staged" ("id" text collate "C" not null, "etag" bigint not null, "body" jsonb compression lz4 not null) on commit drop;
create temporary table "removed" ("id" text collate "C" not null) on commit drop;
set local random_page_cost = 1.1
