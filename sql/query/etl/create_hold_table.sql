-- If the table exists, another run may have locked it; do not wait for that lock.
set local lock_timeout = '1s';
create table if not exists "catalog".:"table" ();
comment on table "catalog".:"table" is 'Has no rows. A run of the collection has a lock on it for as long as it works.';
revoke all on table "catalog".:"table" from "systemscale_api";
alter table "catalog".:"table" owner to :"owner"
