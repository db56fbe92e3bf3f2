-- Aggregates over millions of rows use memory instead of temporary files if they fit.
set work_mem = '256MB';
set maintenance_work_mem = '256MB';
analyze :"schema".product, :"schema".features, :"schema".styles, :"schema".photos, :"schema".skus, :"schema".related;

insert into :"schema".document_summary
select id, jsonb_build_object('id', id, 'name', name, 'slogan', slogan, 'description', description, 'category', category,
                              'default_price', default_price::text)
from :"schema".product;

insert into :"schema".document_product
select p.id, jsonb_build_object('id', p.id, 'name', p.name, 'slogan', p.slogan, 'description', p.description, 'category', p.category,
                                'default_price', p.default_price::text, 'features', coalesce(f.features, '[]'))
from :"schema".product p
left join (select product_id, jsonb_agg(jsonb_build_object('feature', feature, 'value', value) order by line) as features
           from :"schema".features group by product_id) f on f.product_id = p.id;

insert into :"schema".document_styles
with photo as (
    select style_id, jsonb_agg(jsonb_build_object('thumbnail_url', thumbnail_url, 'url', url) order by line) as photos
    from :"schema".photos group by style_id
), sku as (
    select style_id, jsonb_object_agg(id, jsonb_build_object('quantity', quantity, 'size', size)) as skus
    from :"schema".skus group by style_id
), style as (
    select s.product_id, jsonb_agg(jsonb_build_object(
               'style_id', s.id, 'name', s.name, 'original_price', s.original_price::text, 'sale_price', s.sale_price::text,
               'default?', s.default_style = 1,
               'photos', coalesce(photo.photos, '[{"thumbnail_url": null, "url": null}]'),
               'skus', coalesce(sku.skus, '{"null": {"quantity": null, "size": null}}')) order by s.line) as results
    from :"schema".styles s
    left join photo on photo.style_id = s.id
    left join sku on sku.style_id = s.id
    group by s.product_id
)
select p.id, jsonb_build_object('product_id', p.id::text, 'results', coalesce(style.results, '[]'))
from :"schema".product p
left join style on style.product_id = p.id;

insert into :"schema".document_related
select p.id, coalesce(r.related, '[]')
from :"schema".product p
left join (select product_id, jsonb_agg(related_id order by line) as related
           from :"schema".related where related_id <> 0 group by product_id) r on r.product_id = p.id;

alter table :"schema".document_summary add primary key (id);
alter table :"schema".document_product add primary key (id);
alter table :"schema".document_styles add primary key (id);
alter table :"schema".document_related add primary key (id);
analyze :"schema".document_summary, :"schema".document_product, :"schema".document_styles, :"schema".document_related;
