alter table catalog.gateway rename to cache_node;
alter table catalog.cache_node rename constraint gateway_pkey to cache_node_pkey;
comment on table  catalog.cache_node is 'A bookmark in catalog.change for every cache that the ETL refreshes: what lies behind it, the cache has yet to be told.';
comment on column catalog.cache_node.address is 'URL of the refresh door of the cache.';
comment on column catalog.cache_node.run_id is 'The last run whose changes the cache has been told, or left to find out by the age of its copies; 0 before the first.';
