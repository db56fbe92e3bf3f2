-- Takes the published documents with it: the document tables live in this schema.
alter default privileges in schema catalog revoke select on tables from systemscale_api;
drop schema catalog cascade;
