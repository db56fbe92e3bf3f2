-- The rows before the page are counted in the primary key alone.
select coalesce(json_agg(l), '[]')
from (
    select id, name, slogan, description, category, default_price::text
    from ladder.product
    where id >= (select id from ladder.product order by id offset $2 limit 1)
    order by id
    limit $1
) l
