-- The live version stays live. A rollback to a version whose tables have changed since is impossible without the change log.
update catalog.run r
set documents = '[]'
where exists (
    select from catalog.change c
    where c.collection = r.collection and c.generation = r.generation and c.run_id > r.id
);
drop table catalog.change;

update catalog.run set state = 'failed', error = 'there was nothing to publish' where state = 'unchanged';
update catalog.run set mode = 'generation' where mode <> 'generation';

alter table catalog.run
    drop constraint run_verdict_known,
    drop constraint run_mode_known,
    drop constraint run_state_known,
    drop column shape,
    drop column verdict,
    drop column gates,
    drop column plan,
    drop column endpoints,
    drop column generation,
    add constraint run_state_known check (state in ('running', 'published', 'failed')),
    add constraint run_mode_known check (mode in ('generation'));

comment on column catalog.run.state is 'running, published or failed. A run that was killed stays running until the next run of its collection marks it failed.';
comment on column catalog.run.mode is 'generation: a whole new set of document tables beside the live one, then a flip.';
