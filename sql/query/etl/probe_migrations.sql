-- The actual version of the schema, up to 3. Each of those migrations was applied completely or not at all.
select case
    when to_regclass('catalog.cache_node') is not null then 3
    when to_regclass('catalog.change') is not null then 2
    when to_regclass('catalog.version') is not null then 1
    else -1
end
