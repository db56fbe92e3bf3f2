-- Collections of which no run may publish until an operator releases them, such as after a rollback.
create table catalog.hold (
    collection text        not null,
    reason     text        not null,
    author     text        not null,
    since      timestamptz not null default now(),
    sources    jsonb,
    constraint hold_pkey primary key (collection)
);
comment on table  catalog.hold is 'One row for each collection on hold: its runs end without publishing. etl rollback and etl hold set it, etl release removes it.';
comment on column catalog.hold.collection is 'Name of the collection.';
comment on column catalog.hold.reason is 'Why, for people.';
comment on column catalog.hold.author is 'user@host that set it.';
comment on column catalog.hold.since is 'When it was set.';
comment on column catalog.hold.sources is 'Sources of the dump that must not be published again, as in catalog.run: another dump ends the hold. Null if only etl release does.';
