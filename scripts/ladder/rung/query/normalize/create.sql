-- The catalog as the normalised tables of a relational application. Arrays keep the order of the files, which is the column position.
drop schema if exists ladder cascade;
create schema ladder;
create table ladder.product (id bigint not null, name text not null, slogan text not null, description text not null, category text not null,
    default_price numeric(14, 2) not null);
create table ladder.features (id bigint not null, product_id bigint not null, position int not null, feature text not null, value text);
create table ladder.styles (id bigint not null, product_id bigint not null, position int not null, name text not null, sale_price numeric(14, 2),
    original_price numeric(14, 2) not null, default_style boolean not null);
create table ladder.photos (id bigint not null, style_id bigint not null, position int not null, url text not null, thumbnail_url text not null);
create table ladder.skus (id bigint not null, style_id bigint not null, size text not null, quantity bigint not null);
create table ladder.related (id bigint not null, product_id bigint not null, position int not null, related_id bigint not null);

-- All rows of each product, as the ETL accepts, repairs and rejects them.
create unlogged table ladder.rows (id bigint not null, etag bigint not null, body jsonb compression lz4 not null);
