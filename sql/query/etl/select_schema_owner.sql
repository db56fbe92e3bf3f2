-- The owner for a table that all runs share: the owner of the schema, if this role is a member of it.
select case when pg_has_role("nspowner", 'member') then pg_get_userbyid("nspowner") else current_user end
from "pg_catalog"."pg_namespace"
where "nspname" = 'catalog'
