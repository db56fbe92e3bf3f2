-- The bookmarks are lost. A gateway that is registered again begins with the version before the live one.
drop table catalog.cache_node;
