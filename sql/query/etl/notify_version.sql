-- Heard when the transaction commits.
select pg_notify($1, $2)
