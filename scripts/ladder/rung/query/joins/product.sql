select json_build_object('id', p.id, 'name', p.name, 'slogan', p.slogan, 'description', p.description, 'category', p.category,
                         'default_price', p.default_price::text, 'features', coalesce((
    select json_agg(f)
    from (select feature, value from ladder.features where product_id = p.id order by position) f
), '[]'))
from ladder.product p
where p.id = $1
