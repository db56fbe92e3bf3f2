-- What every role of PostgreSQL may do by default, and a role that only reads has no use for: create temporary tables, and before
-- PostgreSQL 15 tables in public. Only the owner of the database, or of the schema, can revoke it: where the role of this migration is
-- not the owner, the owner has to send these statements.
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
