-- Earlier builds exclude each other by this lock alone.
select pg_try_advisory_lock($1)
