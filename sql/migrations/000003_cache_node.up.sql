-- How far each gateway has been refreshed. The change log is catalog.change.

create table catalog.cache_node (
    address      text        not null,
    collection   text        not null,
    run_id       bigint      not null,
    refreshed_at timestamptz not null default now(),
    constraint cache_node_pkey primary key (address, collection)
);
comment on table  catalog.cache_node is 'A bookmark in catalog.change for every cache that the ETL refreshes: what lies behind it, the cache has yet to be told.';
comment on column catalog.cache_node.address is 'URL of the refresh door of the cache.';
comment on column catalog.cache_node.collection is 'Name of the collection.';
comment on column catalog.cache_node.run_id is 'The last run whose changes the cache has been told, or left to find out by the age of its copies; 0 before the first.';
comment on column catalog.cache_node.refreshed_at is 'When the bookmark last moved.';
