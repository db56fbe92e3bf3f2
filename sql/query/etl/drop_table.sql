-- Does not wait for long readers, such as a dump: a later run drops the table then.
set local lock_timeout = '2s';
drop table if exists "catalog".:"table"
