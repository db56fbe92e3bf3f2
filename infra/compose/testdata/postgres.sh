#!/usr/bin/env bash
# Stands for the entry point of the image postgres, as far as compose.yaml uses it.
set -euo pipefail
PATH=$(echo /usr/lib/postgresql/*/bin):$PATH
as_postgres() { setpriv --reuid postgres --regid postgres --init-groups "$@"; }
mkdir -p "$PGDATA"
chown postgres:postgres "$PGDATA" /run/postgresql
chmod 700 "$PGDATA"
if [[ ! -e $PGDATA/PG_VERSION ]]; then
    # shellcheck disable=SC2086 # several arguments
    as_postgres initdb --pgdata "$PGDATA" --username postgres --auth-local trust --auth-host scram-sha-256 \
        --pwfile "$POSTGRES_PASSWORD_FILE" --encoding UTF8 --locale C.UTF-8 ${POSTGRES_INITDB_ARGS:-}
    echo "host all all all scram-sha-256" >>"$PGDATA/pg_hba.conf"
    as_postgres pg_ctl --pgdata "$PGDATA" --wait start --options "-c listen_addresses="
    for file in /docker-entrypoint-initdb.d/*.sh; do as_postgres bash "$file"; done
    as_postgres pg_ctl --pgdata "$PGDATA" --wait --mode fast stop
fi
exec setpriv --reuid postgres --regid postgres --init-groups "$@"
