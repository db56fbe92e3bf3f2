set maintenance_work_mem = '256MB';
alter table ladder.product add primary key (id);
alter table ladder.features add primary key (id), add foreign key (product_id) references ladder.product;
alter table ladder.styles add primary key (id), add foreign key (product_id) references ladder.product;
alter table ladder.photos add primary key (id), add foreign key (style_id) references ladder.styles;
alter table ladder.skus add primary key (id), add foreign key (style_id) references ladder.styles;
alter table ladder.related add primary key (id), add foreign key (product_id) references ladder.product;

-- The children of a parent, in their order.
create index on ladder.features (product_id, position);
create index on ladder.styles (product_id, position);
create index on ladder.photos (style_id, position);
create index on ladder.skus (style_id);
-- With the related id, the rows themselves need not be read.
create index on ladder.related (product_id, position) include (related_id);

grant usage on schema ladder to systemscale_api;
grant select on all tables in schema ladder to systemscale_api;
