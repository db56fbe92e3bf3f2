select coalesce((
    select json_agg(r.related_id)
    from (select related_id from ladder.related where product_id = p.id order by position) r
), '[]')
from ladder.product p
where p.id = $1
