#!/usr/bin/env bash
# Runs once, in a new cluster: the roles with their passwords, and the database.
set -euo pipefail
psql --no-psqlrc --quiet --set ON_ERROR_STOP=1 --username postgres --file /etc/postgresql/bootstrap.sql
psql --no-psqlrc --quiet --set ON_ERROR_STOP=1 --username postgres <<'SQL'
\set etl `cut -d: -f5- /run/secrets/etl_pgpass`
\set api `cut -d: -f5- /run/secrets/api_pgpass`
alter role systemscale_etl password :'etl';
alter role systemscale_api password :'api';
create database systemscale owner systemscale_etl;
SQL
