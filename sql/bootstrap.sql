-- Once per cluster, as a role that may create roles. Passwords are set by whoever runs this.
-- systemscale_etl owns the database and writes; systemscale_api may only read what is published.
do $$
begin
    if not exists (select from pg_roles where rolname = 'systemscale_etl') then
        create role systemscale_etl login;
    end if;
    if not exists (select from pg_roles where rolname = 'systemscale_api') then
        create role systemscale_api login;
    end if;
end
$$;
-- The API sets these for its sessions. Where a pooler refuses that, the role's apply.
alter role systemscale_api set default_transaction_read_only = on;
alter role systemscale_api set statement_timeout = '10s';
alter role systemscale_api set plan_cache_mode = force_generic_plan;
alter role systemscale_api set enable_bitmapscan = off;
alter role systemscale_api set jit = off;
-- A reader that forgets to end a transaction would keep its locks and hold back vacuum. The role can set both itself; its rights cannot be.
alter role systemscale_api set idle_in_transaction_session_timeout = '1min';
