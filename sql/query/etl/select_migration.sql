select "version", "dirty" from :"schema"."schema_migrations" limit 1
