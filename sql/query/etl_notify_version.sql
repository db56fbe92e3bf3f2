select pg_notify('systemscale_version', $1)
