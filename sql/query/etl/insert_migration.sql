insert into :"schema"."schema_migrations" ("version", "dirty") values ($1, false)
