-- A live document table that this role cannot read, or null. Tables that do not exist are ignored.
select min(t."name")
from (
    select format('%I.%I', 'catalog', v."collection" || '_' || (d."declared" ->> 'name') || '_g' || v."generation")
    from "catalog"."version" v
    cross join jsonb_array_elements(v."documents") d("declared")
    union all
    values ('catalog.run'), ('catalog.page_anchor'), ('catalog.change')
    union all
    select c."name"
    from (values ('catalog.text_page_anchor'), ('catalog.text_change')) c("name")
    where exists (
        select from "catalog"."version" v
        cross join jsonb_array_elements(v."documents") d("declared")
        where d."declared" -> 'id_parts' is not null
    )
) t("name")
where not has_table_privilege(to_regclass(t."name"), 'select')
