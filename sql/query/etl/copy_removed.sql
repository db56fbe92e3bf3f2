copy "pg_temp"."removed" ("id") from stdin (format binary)
