-- Ends the transaction that holds the collection.
drop table "catalog".:"table";
commit
