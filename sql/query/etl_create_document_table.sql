create table "catalog".:"table" (
    "id"   bigint not null,
    "etag" bigint not null,
    "body" jsonb compression lz4 not null
)
