-- Etags that cannot be forged. An unkeyed hash has known collisions: whoever supplies the dump could make a changed document look unchanged.
create table catalog.etag_key (
    key bytea not null,
    constraint etag_key_size check (octet_length(key) = 32)
);
comment on table  catalog.etag_key is 'One row: the secret with which the ETL hashes documents. Readers of documents need no right to it.';
comment on column catalog.etag_key.key is 'Random, once per database. With another key, all documents of the next run count as changed.';

-- The two random numbers have 122 random bits each, and come from the server's strong source.
insert into catalog.etag_key (key) values (uuid_send(gen_random_uuid()) || uuid_send(gen_random_uuid()));

-- The default rights of the schema let readers select from every new table.
do $$
declare
    reader record;
begin
    for reader in
        select case a."grantee" when 0 then 'public' else quote_ident(pg_get_userbyid(a."grantee")) end as "name"
        from pg_class c
        cross join aclexplode(c."relacl") a
        where c."oid" = 'catalog.etag_key'::regclass and a."grantee" <> c."relowner"
    loop
        execute format('revoke all on catalog.etag_key from %s', reader."name");
    end loop;
end
$$;

alter table catalog.run
    add column etag_hash text,
    add constraint run_etag_hash_known check (etag_hash in ('highwayhash'));
comment on column catalog.run.etag_hash is
    'Hash function of the etags in the tables that this run created: highwayhash, with catalog.etag_key; null for xxh3, of earlier builds.';
