select pg_try_advisory_lock(hashtextextended('systemscale ' || $1, 0))
