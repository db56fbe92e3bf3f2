-- The only lock with which earlier builds hold a collection.
select "key", pg_try_advisory_lock("key")
from hashtextextended('systemscale ' || $1, 0) k("key")
