-- The control tables, and the document tables named by $1, that a reader cannot read, and whether this role can grant the right. Readers
-- are the API's role and all roles that may read the version row and the page anchors, as an API needs. A role that may read only the
-- version row is not a reader.
with "reader" as (
    select "rolname" as "name"
    from "pg_catalog"."pg_roles"
    where "rolname" = 'systemscale_api'
    union
    select case a."grantee" when 0 then 'public' else pg_get_userbyid(a."grantee") end
    from "pg_catalog"."pg_class" c
    cross join aclexplode(c."relacl") a
    where c."oid" in ('"catalog"."version"'::regclass, '"catalog"."page_anchor"'::regclass)
      and a."privilege_type" = 'SELECT' and a."grantee" <> c."relowner"
    group by a."grantee"
    having count(distinct c."oid") = 2
)
select r."name", '', false
from "reader" r
where not has_schema_privilege(r."name", 'catalog', 'usage')
union all
select r."name", t."name", t."name" = any ($1) and pg_has_role(c."relowner", 'usage')
from "reader" r
cross join unnest(array['version', 'run', :'page_anchor', :'change'] || $1::text[]) t("name")
join "pg_catalog"."pg_class" c on c."relname" = t."name" and c."relnamespace" = 'catalog'::regnamespace
where not has_table_privilege(r."name", c."oid", 'select')
order by 1, 2
