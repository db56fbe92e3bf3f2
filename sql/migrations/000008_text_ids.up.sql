-- The change log and the page anchors of collections whose ids are texts. The tables of collections whose ids are integers stay as they
-- are.

create table catalog.text_change (
    collection text   not null,
    generation bigint not null,
    run_id     bigint not null,
    document   text   not null,
    id         text   collate "C" not null,
    kind       text   not null,
    old_etag   bigint,
    old_body   jsonb compression lz4,
    constraint text_change_pkey primary key (collection, run_id, document, id),
    constraint text_change_kind_known check (kind in ('added', 'changed', 'removed'))
);
comment on table  catalog.text_change is 'The change log of collections whose ids are texts. See catalog.change.';
comment on column catalog.text_change.collection is 'Name of the collection.';
comment on column catalog.text_change.generation is 'Generation of the document tables that were changed.';
comment on column catalog.text_change.run_id is 'The run that changed them.';
comment on column catalog.text_change.document is 'Name of the endpoint.';
comment on column catalog.text_change.id is 'The item''s id. Of an id with several parts, "%" and "/" in a part are percent-encoded, and slashes join the parts.';
comment on column catalog.text_change.kind is 'added, changed or removed.';
comment on column catalog.text_change.old_etag is 'The earlier etag; null if the document was added.';
comment on column catalog.text_change.old_body is 'The earlier document; null if it was added.';

create table catalog.text_page_anchor (
    collection text   not null,
    generation bigint not null,
    page       bigint not null,
    first_id   text   collate "C" not null,
    constraint text_page_anchor_pkey primary key (collection, generation, page) include (first_id)
);
comment on table  catalog.text_page_anchor is 'Every 100th id of a list whose ids are texts. See catalog.page_anchor.';
comment on column catalog.text_page_anchor.collection is 'Name of the collection.';
comment on column catalog.text_page_anchor.generation is 'Generation of the document table with these ids.';
comment on column catalog.text_page_anchor.page is 'Number of the page of 100 documents, from 0.';
comment on column catalog.text_page_anchor.first_id is 'The first id on that page.';

comment on column catalog.version.documents is
    'Array of {"name", "path", "list", "schema", "id_parts"}: the live endpoints. '
    'path is the URL''s last segment, or empty; list marks the endpoint that is served in pages; '
    'id_parts is the number of parts of an id that is a text, and absent if the ids are integers.';

-- Roles that may read the change log and the anchors, such as that of another API, may also read those of texts.
do $$
declare
    reader record;
begin
    for reader in
        select c."relname", case a."grantee" when 0 then 'public' else quote_ident(pg_get_userbyid(a."grantee")) end as "name"
        from pg_class c
        cross join aclexplode(c."relacl") a
        where c."oid" in ('catalog.change'::regclass, 'catalog.page_anchor'::regclass)
          and a."privilege_type" = 'SELECT' and a."grantee" <> c."relowner"
    loop
        execute format('grant select on catalog.%I to %s', 'text_' || reader."relname", reader."name");
    end loop;
end
$$;
