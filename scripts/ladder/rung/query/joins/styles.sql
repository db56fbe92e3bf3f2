-- Aggregating rows takes 0.8 × the time of json_build_object, and subqueries 0.6 × that of common table expressions joined by style.
select json_build_object('product_id', p.id::text, 'results', coalesce((
    select json_agg(r)
    from (
        select s.id as style_id, s.name, s.original_price::text, s.sale_price::text, s.default_style as "default?", coalesce((
            select json_agg(h)
            from (select thumbnail_url, url from ladder.photos where style_id = s.id order by position) h
        ), '[{"thumbnail_url": null, "url": null}]') as photos, coalesce((
            select json_object_agg(k.id, json_build_object('quantity', k.quantity, 'size', k.size))
            from ladder.skus k
            where k.style_id = s.id
        ), '{"null": {"quantity": null, "size": null}}') as skus
        from ladder.styles s
        where s.product_id = p.id
        order by s.position
    ) r
), '[]'))
from ladder.product p
where p.id = $1
