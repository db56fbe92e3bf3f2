alter table "catalog".:"table" add constraint :"constraint" primary key ("id") include ("etag");
grant select on table "catalog".:"table" to "systemscale_api"
