-- Whoever reads the table at length, a dump say, is not waited for: what is not dropped now is dropped by a later run.
set local lock_timeout = '2s';
drop table if exists "catalog".:"table"
