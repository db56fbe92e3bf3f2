-- A lock that lasts as long as the transaction, and that only a role which may write can take. It conflicts with itself alone, and gives
-- the transaction neither an id nor a snapshot, so vacuum is not held back.
begin;
lock table "catalog".:"table" in share update exclusive mode nowait
