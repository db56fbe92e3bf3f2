drop table if exists "catalog".:"table"
