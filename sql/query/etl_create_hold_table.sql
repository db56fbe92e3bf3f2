create table if not exists "catalog".:"table" ();
comment on table "catalog".:"table" is 'Has no rows. A run of the collection has a lock on it for as long as it works.';
revoke all on table "catalog".:"table" from "systemscale_api";
alter table "catalog".:"table" owner to :"owner"
