-- The rows before the page are counted in the primary key alone.
select '[' || coalesce(string_agg(l.body::text, ', '), '') || ']'
from (
    select body
    from catalog.:"table"
    where id >= (select id from catalog.:"table" order by id offset $2 limit 1)
    order by id
    limit $1
) l
