-- Restore the defaults of PostgreSQL.
do $$
begin
    if pg_has_role((select datdba from pg_database where datname = current_database()), 'usage') then
        execute format('revoke temporary on database %I from systemscale_etl', current_database());
        execute format('grant temporary on database %I to public', current_database());
    end if;
    if current_setting('server_version_num')::int < 150000
       and pg_has_role((select nspowner from pg_namespace where nspname = 'public'), 'usage') then
        grant create on schema public to public;
    end if;
end
$$;
