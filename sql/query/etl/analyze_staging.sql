analyze "pg_temp"."staged", "pg_temp"."removed"
