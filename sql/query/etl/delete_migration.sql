delete from :"schema"."schema_migrations"
