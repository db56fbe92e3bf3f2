grant select on table "catalog".:"table" to :"reader"
