copy "catalog"."page_anchor" ("collection", "generation", "page", "first_id") from stdin (format binary)
