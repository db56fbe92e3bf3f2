-- The lock keeps a second migration out until this one commits; readers pass. A migration that waits for a reader keeps all later readers
-- waiting, so it gives up soon.
set local lock_timeout = '2s';
lock table :"schema"."schema_migrations" in exclusive mode
