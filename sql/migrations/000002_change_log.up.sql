-- Runs that write only the documents that differ, the change log for undoing them, and the results of each run's plan.

alter table catalog.run
    add column generation bigint,
    add column endpoints  jsonb,
    add column plan       jsonb,
    add column gates      jsonb,
    add column verdict    text,
    add column shape      text,
    drop constraint run_state_known,
    drop constraint run_mode_known,
    add constraint run_state_known check (state in ('running', 'published', 'unchanged', 'failed')),
    add constraint run_mode_known check (mode in ('generation', 'delta', 'rollback')),
    add constraint run_verdict_known check (verdict in ('passed', 'accepted', 'failed'));

comment on column catalog.run.state is 'running, published, unchanged (there was nothing to publish) or failed. A run that was killed stays running until the next run of its collection marks it failed.';
comment on column catalog.run.mode is 'generation: a whole new set of document tables beside the live one, then a flip. delta: one transaction in the live tables. rollback: return to what an earlier run had published.';
comment on column catalog.run.generation is 'Suffix of the document tables in which this run''s version lives. Null when the run published nothing, or when what it published is no longer kept.';
comment on column catalog.run.endpoints is 'Array of {"name", "path", "list"}, as in catalog.version.documents while this run was live; null when it never was.';
comment on column catalog.run.plan is 'What the run found changed: documents, an array of {"name", "added", "changed", "removed", "unchanged"}, and items, {"published", "added", "changed", "removed"}.';
comment on column catalog.run.gates is 'One object per gate: name, value, limit and verdict.';
comment on column catalog.run.verdict is 'The worst of the gates: passed, accepted (failed, and somebody said to go on) or failed; null when the run ended before.';
comment on column catalog.run.shape is 'Fingerprint of the shape that the documents were made by, in hexadecimal.';

-- The endpoints of the live version are known. An earlier generation is kept if its tables exist and its endpoints were the same.
update catalog.run r
set generation = case r.id when v.run_id then v.generation else r.id end, endpoints = v.documents
from catalog.version v
where v.collection = r.collection and r.state = 'published'
  and (r.id = v.run_id
       or (select array_agg(d ->> 'name' order by d ->> 'name') from jsonb_array_elements(r.documents) d)
        = (select array_agg(d ->> 'name' order by d ->> 'name') from jsonb_array_elements(v.documents) d)
      and not exists (
          select from jsonb_array_elements(v.documents) d
          where to_regclass(format('catalog.%I', r.collection || '_' || (d ->> 'name') || '_g' || r.id)) is null));

create table catalog.change (
    collection text   not null,
    generation bigint not null,
    run_id     bigint not null,
    document   text   not null,
    id         bigint not null,
    kind       text   not null,
    old_etag   bigint,
    old_body   jsonb compression lz4,
    constraint change_pkey primary key (collection, run_id, document, id),
    constraint change_kind_known check (kind in ('added', 'changed', 'removed'))
);
comment on table  catalog.change is 'What runs changed in tables that were already live, and what stood there before. Written in the transaction that changes it; no foreign keys, because a check per row costs more than the row.';
comment on column catalog.change.collection is 'Name of the collection.';
comment on column catalog.change.generation is 'Generation of the document tables that were changed.';
comment on column catalog.change.run_id is 'The run that changed them.';
comment on column catalog.change.document is 'Name of the document.';
comment on column catalog.change.id is 'The item''s id.';
comment on column catalog.change.kind is 'added, changed or removed.';
comment on column catalog.change.old_etag is 'The etag before; null when the document was added.';
comment on column catalog.change.old_body is 'The document before; null when it was added.';
