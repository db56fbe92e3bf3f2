-- What is to be written to one document table, and what is to be removed from it.
create temporary table "staged" ("id" bigint not null, "etag" bigint not null, "body" jsonb compression lz4 not null) on commit drop;
create temporary table "removed" ("id" bigint not null) on commit drop;
-- A few rows out of a million are found by their key, whatever the server is told that its disk does.
set local random_page_cost = 1.1
