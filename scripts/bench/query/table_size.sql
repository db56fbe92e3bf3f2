-- The number of documents is that of the last vacuum. The levels of a primary key are those above its leaves.
select
    greatest(t.reltuples, 0)::bigint,
    pg_table_size(t.oid),
    pg_relation_size(k.indexrelid),
    (bt_metap(k.indexrelid::regclass::text)).level::int
from pg_class as t
join pg_index as k on k.indrelid = t.oid and k.indisprimary
where t.relnamespace = 'catalog'::regnamespace and t.relname = $1
