-- The only lock with which earlier builds exclude each other.
select pg_try_advisory_lock($1)
