-- A statement that takes no parameters, quoted by the server.
select format('alter role %I password %L', $1::text, $2::text)
