-- The six files as tables. They are temporary and need not survive a crash. Arrays keep the order of the file, so rows that become
-- elements of arrays are numbered; ctid does not always have that order.
create schema :"schema";
create unlogged table :"schema".product (id bigint, name text, slogan text, description text, category text, default_price numeric(14, 2));
create unlogged table :"schema".features (id bigint, product_id bigint, feature text, value text, line bigint generated always as identity);
create unlogged table :"schema".styles (id bigint, product_id bigint, name text, sale_price numeric(14, 2), original_price numeric(14, 2),
    default_style int, line bigint generated always as identity);
create unlogged table :"schema".photos (id bigint, style_id bigint, url text, thumbnail_url text, line bigint generated always as identity);
create unlogged table :"schema".skus (id bigint, style_id bigint, size text, quantity bigint);
create unlogged table :"schema".related (id bigint, product_id bigint, related_id bigint, line bigint generated always as identity);

-- The documents must survive a crash.
create table :"schema".document_summary (id bigint not null, body jsonb compression lz4 not null);
create table :"schema".document_product (id bigint not null, body jsonb compression lz4 not null);
create table :"schema".document_styles (id bigint not null, body jsonb compression lz4 not null);
create table :"schema".document_related (id bigint not null, body jsonb compression lz4 not null);
