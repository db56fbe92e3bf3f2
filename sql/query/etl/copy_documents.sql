copy "catalog".:"table" ("id", "etag", "body") from stdin (format binary)
