-- The caches that etl refreshes are those of gateways.
alter table catalog.cache_node rename to gateway;
alter table catalog.gateway rename constraint cache_node_pkey to gateway_pkey;
comment on table  catalog.gateway is 'A bookmark in catalog.change for every gateway that the ETL refreshes: the cached copies of later changes are not refreshed yet.';
comment on column catalog.gateway.address is 'URL of the refresh endpoint of the gateway.';
comment on column catalog.gateway.run_id is 'The last run whose changes were refreshed in the gateway, or left to expire; 0 before the first.';
