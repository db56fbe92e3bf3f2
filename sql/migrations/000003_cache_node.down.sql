-- The caches forget how far they were told: those that are told again later begin with the run before the live one.
drop table catalog.cache_node;
