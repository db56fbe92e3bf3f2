-- The server quotes the password, because the statement takes no parameters.
select format('alter role %I password %L', $1::text, $2::text)
