-- One statement for each document of shape.yaml.

create temp table summary_document as
select p.id, jsonb_build_object(
    'id', p.id,
    'name', p.name,
    'styles', (select count(*) from styles as s where s.product_id = p.id),
    'related', (
        select count(*) from related as r left join product as o on o.id = r.related_product_id
        where r.current_product_id = p.id and o.category is distinct from 'Jacket'
    )
) as body
from product as p;

create temp table totals_document as
with
by_sku as (
    select s.product_id, count(*) as skus, count(*) filter (where k.quantity <= 0) as missing, sum(k.quantity) as quantity,
        min(k.quantity) as least, max(k.quantity) as most,
        sum(k.quantity) filter (where k.size in ('L', 'XL', 'XXL') and k.quantity <> 7) as large
    from styles as s join skus as k on k.style_id = s.id group by s.product_id
),
by_size as (
    select product_id, jsonb_object_agg(size, n) as sizes
    from (
        select s.product_id, k.size, count(*) as n from styles as s join skus as k on k.style_id = s.id group by s.product_id, k.size
    ) as counted group by product_id
),
by_level as (
    select product_id, jsonb_object_agg(quantity, n) as levels
    from (
        select s.product_id, k.quantity, count(*) as n from styles as s join skus as k on k.style_id = s.id
        where k.quantity > 40 group by s.product_id, k.quantity
    ) as counted group by product_id
),
by_photo as (select s.product_id, count(*) as photos from styles as s join photos as f on f.style_id = s.id group by s.product_id),
by_style as (
    select product_id, count(*) as n, sum(original_price) as total, min(original_price) as least, max(original_price) as most,
        count(sale_price) as sales, sum(sale_price) as sale_total, min(sale_price) as least_sale,
        count(sale_price) filter (where original_price >= 300) as dear_sales,
        sum(sale_price) filter (where original_price >= 300) as dear_total,
        min(name collate "C") as first_name, max(name collate "C") as last_name
    from styles group by product_id
)
select p.id, jsonb_build_object(
    'id', p.id,
    'photos', coalesce(photos, 0),
    'skus', coalesce(skus, 0),
    'missing', coalesce(missing, 0),
    'quantity', coalesce(quantity, 0),
    'least', k.least,
    'most', k.most,
    'mean', pg_temp.half_even(quantity, skus, 2),
    'whole', pg_temp.half_even(quantity, skus, 0),
    'tenths', pg_temp.half_even(quantity, skus, 1),
    'printed', pg_temp.half_even(quantity, skus, 5)::text,
    'large', coalesce(large, 0),
    'sizes', coalesce(sizes, '{}'),
    'levels', coalesce(levels, '{}'),
    'prices', jsonb_build_object(
        'sum', coalesce(s.total, 0.00)::text,
        'min', s.least::text,
        'max', s.most::text,
        'mean', pg_temp.half_even(s.total, s.n, 2)::text,
        'tenths', pg_temp.half_even(s.total, s.n, 1)::text,
        'whole', pg_temp.half_even(s.total, s.n, 0)::text
    ),
    'sales', jsonb_build_object(
        'count', coalesce(sales, 0),
        'sum', coalesce(sale_total, 0.00)::text,
        'min', least_sale::text,
        'mean', pg_temp.half_even(sale_total, sales, 3)::text,
        'dear', pg_temp.half_even(dear_total, dear_sales, 2)::text
    ),
    'names', jsonb_build_object('first', first_name, 'last', last_name)
) as body
from product as p
left join by_sku as k on k.product_id = p.id
left join by_size on by_size.product_id = p.id
left join by_level on by_level.product_id = p.id
left join by_photo on by_photo.product_id = p.id
left join by_style as s on s.product_id = p.id;

create temp table styles_document as
with
by_sku as (
    select style_id, sum(quantity) as quantity, count(*) as skus,
        jsonb_object_agg(id, quantity) filter (where size ~ '^X') as large,
        (array_agg(size order by quantity, id desc))[1] as scarcest
    from skus group by style_id
),
ranked as (
    select *, row_number() over (partition by style_id order by quantity desc, size collate "C", id) as place from skus where quantity > 0
),
most as (
    select style_id, jsonb_agg(jsonb_build_object('id', id, 'quantity', quantity) order by place) as most
    from ranked where place <= 2 group by style_id
),
dearest as (
    select *, row_number() over (partition by product_id order by original_price desc, id) as place from styles where original_price >= 100
)
select p.id, coalesce(jsonb_agg(jsonb_build_object(
    'id', s.id,
    'name', s.name,
    'photos', (select count(*) from photos as f where f.style_id = s.id),
    'quantity', coalesce(quantity, 0),
    'mean', pg_temp.half_even(quantity, skus, 1),
    'most', coalesce(most, '[]'),
    'skus', coalesce(large, '{}'),
    'scarcest', scarcest
) order by place) filter (where s.id is not null), '[]') as body
from product as p
left join dearest as s on s.product_id = p.id and place <= 3
left join by_sku on by_sku.style_id = s.id
left join most on most.style_id = s.id
group by p.id;

create temp table related_document as
with
card as (
    select p.id, jsonb_build_object(
        'id', p.id,
        'name', p.name,
        'price', p.default_price::text,
        'photo', (
            select f.url from photos as f
            where f.style_id = (select min(id) from styles where product_id = p.id) order by f.id limit 1
        ),
        'quantity', (select coalesce(sum(quantity), 0) from styles as s join skus as k on k.style_id = s.id where s.product_id = p.id),
        'mean', (select pg_temp.half_even(sum(original_price), count(*), 1)::text from styles where product_id = p.id),
        'styles', (
            select coalesce(jsonb_agg(id order by name collate "C", id), '[]')
            from (select id, name from styles where product_id = p.id order by name collate "C", id limit 2) as first_two
        )
    ) as body
    from product as p
),
kept as (
    select r.id, r.current_product_id, o.category, o.default_price, coalesce(card.body, '"gone"') as body,
        row_number() over (partition by r.current_product_id order by o.default_price desc, r.id) as place
    from related as r left join product as o on o.id = r.related_product_id left join card on card.id = r.related_product_id
    where o.category is distinct from 'Jacket'
),
by_category as (
    select current_product_id, jsonb_object_agg(category, n) as categories
    from (
        select current_product_id, category, count(*) as n from kept where category is not null group by current_product_id, category
    ) as counted group by current_product_id
)
select p.id, jsonb_build_object(
    'prices', jsonb_build_object(
        'sum', coalesce(sum(k.default_price), 0.00)::text,
        'mean', pg_temp.half_even(sum(k.default_price), count(k.default_price), 1)::text
    ),
    'categories', coalesce(categories, '{}'),
    'cards', coalesce(jsonb_agg(k.body order by place) filter (where place <= 5), '[]')
) as body
from product as p
left join kept as k on k.current_product_id = p.id
left join by_category on by_category.current_product_id = p.id
group by p.id, categories;
