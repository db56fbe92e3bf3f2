select exists (select from pg_stat_activity where pid = $1)
