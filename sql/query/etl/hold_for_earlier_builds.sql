-- Earlier builds hold a collection by this lock alone.
select "key", pg_try_advisory_lock("key")
from hashtextextended('systemscale ' || $1, 0) k("key")
