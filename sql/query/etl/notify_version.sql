-- The notification is sent when the transaction commits.
select pg_notify($1, $2)
