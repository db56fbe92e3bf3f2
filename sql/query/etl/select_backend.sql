-- The process id of the server. Through a pooler, it differs from the one that the connection received at startup.
select pg_backend_pid()
