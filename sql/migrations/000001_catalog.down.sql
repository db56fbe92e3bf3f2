-- This drops the published documents, whose tables are in this schema.
alter default privileges in schema catalog revoke select on tables from systemscale_api;
drop schema catalog cascade;
