-- The documents to write to one document table, and the ids to remove from it.
create temporary table "staged" ("id" bigint not null, "etag" bigint not null, "body" jsonb compression lz4 not null) on commit drop;
create temporary table "removed" ("id" bigint not null) on commit drop;
-- Few rows of millions are found by their key, whatever the cost settings of the server.
set local random_page_cost = 1.1
