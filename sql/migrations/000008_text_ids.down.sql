-- Earlier builds cannot serve collections whose ids are texts: they are no longer published. Their next run publishes them again.
delete from catalog.version v
where exists (select from jsonb_array_elements(v.documents) d where d -> 'id_parts' is not null);
update catalog.run r
set generation = null
where exists (select from jsonb_array_elements(r.endpoints) d where d -> 'id_parts' is not null);
drop table catalog.text_page_anchor;
drop table catalog.text_change;
comment on column catalog.version.documents is
    'Array of {"name", "path", "list", "schema"}: the live endpoints. '
    'path is the URL''s last segment, or empty; list marks the endpoint that is served in pages.';
