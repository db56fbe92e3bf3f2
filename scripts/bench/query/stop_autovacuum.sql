-- Its visits would be counted.
alter table "catalog".:"table" set (autovacuum_enabled = off)
