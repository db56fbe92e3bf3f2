-- Run once per cluster, as a role that can create roles. Then set the passwords.
-- systemscale_etl owns the database and writes; systemscale_api can only read.
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
-- The API sets these for its sessions. If a pooler refuses that, the role's settings apply.
alter role systemscale_api set default_transaction_read_only = on;
alter role systemscale_api set statement_timeout = '10s';
alter role systemscale_api set plan_cache_mode = force_generic_plan;
alter role systemscale_api set enable_bitmapscan = off;
alter role systemscale_api set jit = off;
-- A reader that leaves a transaction open would keep its locks and hold back vacuum.
alter role systemscale_api set idle_in_transaction_session_timeout = '1min';
