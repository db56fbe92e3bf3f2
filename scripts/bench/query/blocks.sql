-- The columns of a table without a TOAST table are null.
select
    idx_blks_hit + idx_blks_read,
    heap_blks_hit + heap_blks_read
    + coalesce(toast_blks_hit + toast_blks_read + tidx_blks_hit + tidx_blks_read, 0),
    idx_blks_read + heap_blks_read + coalesce(toast_blks_read + tidx_blks_read, 0)
from pg_statio_all_tables
where schemaname = 'catalog' and relname = $1
