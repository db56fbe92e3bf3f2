-- The version that the schema is really at, up to the third. Each of those migrations was all or nothing.
select case
    when to_regclass('catalog.cache_node') is not null then 3
    when to_regclass('catalog.change') is not null then 2
    when to_regclass('catalog.version') is not null then 1
    else -1
end
