-- A lock until the end of the transaction, which only a role with write access can take. It conflicts only with itself. The transaction
-- needs neither an id nor a snapshot for it, so it does not hold back vacuum.
begin;
lock table "catalog".:"table" in share update exclusive mode nowait
