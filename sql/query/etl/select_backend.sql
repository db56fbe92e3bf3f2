-- The process that answers. Through a pooler it is not the one that the connection was told of when it was made.
select pg_backend_pid()
