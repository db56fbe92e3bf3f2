alter table "catalog".:"table" add constraint :"constraint" primary key ("id") include ("etag")
