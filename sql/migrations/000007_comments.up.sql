-- Comments with the terms of the glossary.
comment on schema catalog is
    'Published documents, one table per endpoint and generation, and the version rows that name the live tables.';

comment on table  catalog.run is 'All runs of the ETL. The id of a run that published is the data version.';
comment on column catalog.run.id is 'Ascending. Also the generation of the tables that the run creates.';
comment on column catalog.run.collection is 'Name of the collection in the shape file, which is the first segment of its URLs.';
comment on column catalog.run.mode is
    'generation: new document tables, then a flip. delta: one transaction in the live tables. rollback: a return to an earlier version.';
comment on column catalog.run.holder is 'user@host and process id of the run, for the error message of a second run.';
comment on column catalog.run.documents is 'One object per endpoint: name, rows, bytes.';
comment on column catalog.run.generation is
    'Suffix of the document tables that contain the run''s version. Null if the run published nothing or its version is no longer kept.';
comment on column catalog.run.plan is
    'The differences that the run found: documents, an array of {"name", "added", "changed", "removed", "unchanged"}, '
    'and items, {"published", "added", "changed", "removed"}.';
comment on column catalog.run.verdict is
    'The worst result of the gates: passed, accepted (failed, but named by --accept) or failed; null if the run ended before the gates.';
comment on column catalog.run.shape is 'Hash of the parsed shape file, in hexadecimal.';

comment on table  catalog.version is
    'The version row of each collection, which names the live generation and run. Changing it publishes a version.';
comment on column catalog.version.run_id is 'The data version: the id of the run that published it.';
comment on column catalog.version.documents is
    'Array of {"name", "path", "list", "schema"}: the live endpoints. '
    'path is the URL''s last segment, or empty; list marks the endpoint that is served in pages.';
comment on column catalog.version.published_at is 'When the version row last changed.';

comment on table  catalog.page_anchor is 'Every 100th id of a list, so that a deep page is a range read.';
comment on column catalog.page_anchor.generation is 'Generation of the document table with these ids.';

comment on table  catalog.change is
    'The change log: what runs changed in live tables, and the earlier documents. '
    'Written in the transaction of the change. No foreign keys, because a check per row costs more than the row.';
comment on column catalog.change.document is 'Name of the endpoint.';
comment on column catalog.change.old_etag is 'The earlier etag; null if the document was added.';
comment on column catalog.change.old_body is 'The earlier document; null if it was added.';
