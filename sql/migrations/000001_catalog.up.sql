-- The contract between the two programs: etl writes these tables, api reads them.
-- Each run creates its own generation of document tables (see query/etl/create_document_table.sql).
--
-- bootstrap.sql creates the two roles, once per cluster. It needs the right to create roles.

create schema catalog;
comment on schema catalog is 'Published documents, one table per document and generation, and the rows that say which are live.';

grant usage on schema catalog to systemscale_api;

-- The API can read every table that a later run creates as soon as it exists.
alter default privileges in schema catalog grant select on tables to systemscale_api;

create table catalog.run (
    id          bigint generated always as identity,
    collection  text        not null,
    state       text        not null,
    mode        text        not null,
    holder      text        not null,
    started_at  timestamptz not null default now(),
    finished_at timestamptz,
    sources     jsonb       not null default '[]',
    documents   jsonb       not null default '[]',
    error       text,
    constraint run_pkey primary key (id),
    constraint run_state_known check (state in ('running', 'published', 'failed')),
    constraint run_mode_known check (mode in ('generation'))
);
create index run_collection_id on catalog.run (collection, id desc);
comment on table  catalog.run is 'Every run of the ETL, whether it published or not. A published run''s id is the data version.';
comment on column catalog.run.id is 'Ascending; also the generation number of the tables that the run creates.';
comment on column catalog.run.collection is 'Name of the collection in the shape file, which is also the first segment of its URLs.';
comment on column catalog.run.state is 'running, published or failed. A run that was killed stays running until the next run of its collection marks it failed.';
comment on column catalog.run.mode is 'generation: a whole new set of document tables beside the live one, then a flip.';
comment on column catalog.run.holder is 'user@host and process id of the run, for the message that a second run gets.';
comment on column catalog.run.started_at is 'When the run was registered.';
comment on column catalog.run.finished_at is 'When the run was published or failed; null while it runs.';
comment on column catalog.run.sources is 'One object per CSV: file, bytes, rows read, used, filtered, rejected by reason, repaired by name.';
comment on column catalog.run.documents is 'One object per document: name, rows, bytes.';
comment on column catalog.run.error is 'Why the run failed; null otherwise.';

create table catalog.version (
    collection   text        not null,
    generation   bigint      not null,
    run_id       bigint      not null,
    documents    jsonb       not null,
    published_at timestamptz not null default now(),
    constraint version_pkey primary key (collection),
    constraint version_run_fkey foreign key (run_id) references catalog.run (id)
);
comment on table  catalog.version is 'The pointer: one row per collection that names what is live. Flipping it is what publishing means.';
comment on column catalog.version.collection is 'Name of the collection.';
comment on column catalog.version.generation is 'Suffix of the live document tables, <collection>_<document>_g<generation>.';
comment on column catalog.version.run_id is 'The data version: the run that made what is live.';
comment on column catalog.version.documents is 'Array of {"name", "path", "list"}: the live documents. path is the URL''s last segment and may be empty; list marks the document served in pages.';
comment on column catalog.version.published_at is 'When the pointer last moved.';

create table catalog.page_anchor (
    collection text   not null,
    generation bigint not null,
    page       bigint not null,
    first_id   bigint not null,
    constraint page_anchor_pkey primary key (collection, generation, page) include (first_id)
);
comment on table  catalog.page_anchor is 'Every 100th id of a list document, so that a deep page is a range read and not a count.';
comment on column catalog.page_anchor.collection is 'Name of the collection.';
comment on column catalog.page_anchor.generation is 'Generation of the document table that the ids were taken from.';
comment on column catalog.page_anchor.page is 'Number of the page of 100 documents, from 0.';
comment on column catalog.page_anchor.first_id is 'The first id on that page.';
