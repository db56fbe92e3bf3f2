#!/usr/bin/env bash
# Starts compose.yaml and publishes DUMP, with Docker Compose or podman-compose (COMPOSE=podman-compose if both are there). A second call
# changes nothing that is up to date.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")"
./secrets.sh "${SECRETS:-secrets}"
if [[ ${COMPOSE-} != podman-compose ]] && docker compose version >/dev/null 2>&1; then
    exec docker compose --profile nightly up --detach
fi
# podman-compose 1.0.3 starts containers in their order, and does not wait until they are healthy or have ended.
compose() { podman-compose --project-name systemscale "$@"; }
compose up --detach postgres
until podman healthcheck run systemscale_postgres_1 >/dev/null 2>&1; do sleep 1; done
compose up --detach migrate
[[ $(podman wait systemscale_migrate_1) == 0 ]]
compose up --detach gateway-1 gateway-2
compose up --detach etl
exit "$(podman wait systemscale_etl_1)"
