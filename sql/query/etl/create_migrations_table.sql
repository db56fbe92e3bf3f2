create table "public"."schema_migrations" ("version" bigint not null primary key, "dirty" boolean not null);
comment on table  "public"."schema_migrations" is 'One row: the version of the schema in catalog, by golang-migrate. No row: no migration has run.';
comment on column "public"."schema_migrations"."version" is 'Number of the last migration.';
comment on column "public"."schema_migrations"."dirty" is 'Always false: a migration and its number are one transaction. Builds from before version 4 left true when they were killed.'
