-- The six files of the generated catalog, as they are.
create temp table product (id bigint, name text, slogan text, description text, category text, default_price numeric(12, 2));
create temp table features (id bigint, product_id bigint, feature text, value text);
create temp table styles
    (id bigint, product_id bigint, name text, sale_price numeric(12, 2), original_price numeric(12, 2), default_style boolean);
create temp table photos (id bigint, style_id bigint, url text, thumbnail_url text);
create temp table skus (id bigint, style_id bigint, size text, quantity bigint);
create temp table related (id bigint, current_product_id bigint, related_product_id bigint);

-- half_even is the quotient with a number of decimals; a half is rounded to the even digit. (PostgreSQL rounds it away from zero.)
create function pg_temp.half_even(total numeric, rows bigint, places integer) returns numeric language sql immutable as $$
    select case when rows > 0 then round(
        sign(total) * (whole + case when 2 * rest > rows or (2 * rest = rows and whole % 2 = 1) then 1 else 0 end)
            / power(10::numeric, places), places) end
    from (select div(abs(total) * power(10::numeric, places), nullif(rows, 0)) as whole) as quotient,
        lateral (select abs(total) * power(10::numeric, places) - whole * rows as rest) as remainder
$$;
