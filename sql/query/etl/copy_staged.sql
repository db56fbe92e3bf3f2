copy "pg_temp"."staged" ("id", "etag", "body") from stdin (format binary)
