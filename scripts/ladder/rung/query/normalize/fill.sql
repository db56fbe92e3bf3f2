insert into ladder.product (id, name, slogan, description, category, default_price)
select p.id, p.name, p.slogan, p.description, p.category, p.default_price
from ladder.rows r
cross join jsonb_to_record(r.body) p(id bigint, name text, slogan text, description text, category text, default_price numeric);

insert into ladder.features (id, product_id, position, feature, value)
select f.id, r.id, f.position, f.feature, f.value
from ladder.rows r
cross join rows from (jsonb_to_recordset(r.body -> 'features') as (id bigint, feature text, value text))
    with ordinality f(id, feature, value, position);

insert into ladder.styles (id, product_id, position, name, sale_price, original_price, default_style)
select s.id, r.id, s.position, s.name, s.sale_price, s.original_price, s.default_style
from ladder.rows r
cross join rows from (jsonb_to_recordset(r.body -> 'styles') as (id bigint, name text, sale_price numeric, original_price numeric, default_style boolean))
    with ordinality s(id, name, sale_price, original_price, default_style, position);

insert into ladder.photos (id, style_id, position, url, thumbnail_url)
select h.id, s.id, h.position, h.url, h.thumbnail_url
from ladder.rows r
cross join jsonb_to_recordset(r.body -> 'styles') s(id bigint, photos jsonb)
cross join rows from (jsonb_to_recordset(s.photos) as (id bigint, url text, thumbnail_url text))
    with ordinality h(id, url, thumbnail_url, position);

insert into ladder.skus (id, style_id, size, quantity)
select k.id, s.id, k.size, k.quantity
from ladder.rows r
cross join jsonb_to_recordset(r.body -> 'styles') s(id bigint, skus jsonb)
cross join jsonb_to_recordset(s.skus) k(id bigint, size text, quantity bigint);

insert into ladder.related (id, product_id, position, related_id)
select l.id, r.id, l.position, l.related_id
from ladder.rows r
cross join rows from (jsonb_to_recordset(r.body -> 'related') as (id bigint, related_id bigint))
    with ordinality l(id, related_id, position);

drop table ladder.rows;
