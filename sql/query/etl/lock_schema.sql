-- Blocks other migrations until this one commits, but not readers. A migration that waits for a reader blocks all later readers, so its
-- lock timeout is short.
set local lock_timeout = '2s';
lock table :"schema"."schema_migrations" in exclusive mode
