-- Revoke default rights that a read-only role does not need: to create temporary tables, and, before PostgreSQL 15, tables in public.
-- Only the owner of the database or the schema can revoke them. If the role of this migration is not the owner, the owner must run
-- these statements.
do $$
begin
    if pg_has_role((select datdba from pg_database where datname = current_database()), 'usage') then
        execute format('revoke temporary on database %I from public, systemscale_api', current_database());
        execute format('grant temporary on database %I to systemscale_etl', current_database());
    end if;
    if pg_has_role((select nspowner from pg_namespace where nspname = 'public'), 'usage') then
        revoke create on schema public from public, systemscale_api;
    end if;
end
$$;
