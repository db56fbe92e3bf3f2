-- Whether the server is a standby, and its position in the write-ahead log in bytes: written if it is a primary, and replayed if it is a
-- standby. The position is null on a standby that has replayed nothing.
select r."standby", (case when r."standby" then pg_last_wal_replay_lsn() else pg_current_wal_lsn() end - '0/0')::bigint
from (select pg_is_in_recovery()) r("standby")
