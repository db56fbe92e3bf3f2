#!/usr/bin/env bash
# Replaces containers one after the other by ones of the present images and settings (TAG). Usage: roll.sh api-1 api-2 gateway-1 gateway-2
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")"
for service in "$@"; do
    if [[ ${COMPOSE-} != podman-compose ]] && docker compose version >/dev/null 2>&1; then
        docker compose up --detach --no-deps --wait "$service"
    else
        podman stop --time 30 "systemscale_${service}_1"
        podman rm "systemscale_${service}_1"
        podman-compose --project-name systemscale up --detach "$service"
        until podman healthcheck run "systemscale_${service}_1" >/dev/null 2>&1; do sleep 1; done
    fi
    # The gateways look for new addresses every second, and NGINX leaves an instance that has failed alone for ten seconds. The next one
    # must not end before.
    case $service in api-*) sleep 15 ;; esac
done
